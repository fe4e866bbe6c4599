import numpy as np
import pytest

from workflow_scripts.lib.challenge.scores import bootstrap_interval, f1_of_confusion, group_confusions, macro_f1


@pytest.fixture
def frames():
    rng = np.random.default_rng(0)
    expression = rng.integers(-1, 8, 400)
    predicted = np.where(rng.random(400) < 0.6, np.maximum(expression, 0), rng.integers(0, 8, 400))
    return expression, predicted, np.array([f"v{number // 20}" for number in range(400)])


def test_confusions_of_the_groups_add_up_to_the_score(frames):
    counts = group_confusions(*frames)
    assert counts.shape == (20, 8, 8)
    assert counts.sum() == (frames[0] >= 0).sum()
    assert f1_of_confusion(counts.sum(axis=0)).mean() == pytest.approx(macro_f1(*frames[:2]), abs=1e-12)


def test_a_class_that_nowhere_occurs_counts_as_zero():
    confusion = np.zeros((8, 8), int)
    confusion[0, 0] = 5
    assert f1_of_confusion(confusion).tolist() == [1.0, 0, 0, 0, 0, 0, 0, 0]


def test_the_interval_is_that_of_drawing_whole_groups(frames):
    counts = group_confusions(*frames)
    rng = np.random.default_rng(1)
    scores = [f1_of_confusion(counts[rng.integers(0, 20, 20)].sum(axis=0)).mean() for _ in range(4000)]
    low, high = bootstrap_interval(counts, 4000, seed=3)
    assert (low, high) == pytest.approx(tuple(np.percentile(scores, [2.5, 97.5])), abs=0.006)
    assert low < macro_f1(*frames[:2]) < high
    assert bootstrap_interval(counts, 100, seed=3) == bootstrap_interval(counts, 100, seed=3)


def test_groups_that_are_alike_leave_no_doubt():
    counts = np.stack([np.eye(8, dtype=int) * 4] * 5)
    assert bootstrap_interval(counts, 100, seed=0) == (1.0, 1.0)
    assert bootstrap_interval(counts[:1], 100, seed=0) == (1.0, 1.0)
