import numpy as np
import pytest

from frame_expressions.challenge.class_intervals import class_intervals
from frame_expressions.challenge.scores import f1_of_confusion


def test_one_group_gives_its_own_f1_and_equal_groups_too():
    confusion = np.array([[[3, 1], [2, 4]]])
    # F1 = 2 hits / (true + predicted): 6 / (4 + 5) and 8 / (6 + 5).
    expected = [[6 / 9, 6 / 9], [8 / 11, 8 / 11]]
    assert class_intervals(confusion, 20, seed=0) == pytest.approx(np.array(expected))
    assert class_intervals(np.repeat(confusion, 5, axis=0), 20, seed=0) == pytest.approx(np.array(expected))


def test_intervals_are_percentiles_of_scores_of_drawn_groups():
    rng = np.random.default_rng(0)
    confusions = rng.integers(0, 30, (12, 3, 3))
    drawn = confusions[rng.integers(0, 12, (20000, 12))].sum(axis=1)
    slow = np.percentile(f1_of_confusion(drawn), (2.5, 97.5), axis=0).T
    found = class_intervals(confusions, 20000, seed=1)
    assert found == pytest.approx(slow, abs=0.004)
    assert (found == class_intervals(confusions, 20000, seed=1)).all()
    f1 = f1_of_confusion(confusions.sum(axis=0))
    assert (found[:, 0] < f1).all() and (f1 < found[:, 1]).all()
