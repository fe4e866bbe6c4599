"""The challenge's score: by hand, against scikit-learn, and its interval."""

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, f1_score

from frame_expressions.challenge.scores import (
    confusion_of,
    difference_interval,
    f1_intervals,
    f1_of_confusion,
    group_confusions,
    macro_f1,
    macro_f1_interval,
    validation_scores,
)
from frame_expressions.runtime.errors import InputError


@pytest.fixture
def frames():
    rng = np.random.default_rng(0)
    labels = rng.integers(-1, 8, 400)
    predicted = np.where(rng.random(400) < 0.6, np.maximum(labels, 0), rng.integers(0, 8, 400))
    return labels, predicted, np.array([f"v{number // 20}" for number in range(400)])


def test_macro_f1_by_hand():
    labels = np.array([0, 0, 0, 1, 1, -1, -1])
    predicted = np.array([0, 0, 1, 1, 2, 1, 0])
    # Neutral: precision 1, recall 2/3. Anger: 1 of 2 and 1 of 2. Disgust: never right. The others: absent, 0.
    assert f1_of_confusion(confusion_of(labels, predicted)) == pytest.approx([0.8, 0.5, 0, 0, 0, 0, 0, 0])
    assert macro_f1(labels, predicted) == pytest.approx(1.3 / 8)
    assert macro_f1(np.arange(8), np.arange(8)) == 1.0


def test_nothing_to_score_is_refused():
    with pytest.raises(InputError, match="No frame is labelled"):
        macro_f1(np.array([-1, -1]), np.array([0, 1]))


def test_validation_scores_by_hand():
    scores = validation_scores(np.array([0, 0, 1, -1]), np.array([0, 1, 1, 1]))
    assert scores["val_f1"]["Neutral"] == pytest.approx(2 / 3) and scores["val_f1"]["Anger"] == pytest.approx(2 / 3)
    assert scores["val_macro_f1"] == pytest.approx((2 / 3 + 2 / 3) / 8)
    assert [row[:2] for row in scores["val_confusion"][:2]] == [[1, 1], [0, 1]]  # the unlabelled frame is left out


@pytest.mark.parametrize("seed", range(20))
def test_scores_are_those_of_sklearn(seed):
    rng = np.random.default_rng(seed)
    # Often a class is not labelled, or not predicted, or neither.
    known, guessed = rng.choice(8, rng.integers(1, 9)), rng.choice(8, rng.integers(1, 9))
    labels, predicted = rng.choice([-1, *known], 200).astype(np.int8), rng.choice(guessed, 200).astype(np.int8)
    labelled = labels >= 0
    truth, predictions = labels[labelled], predicted[labelled]
    each = f1_score(truth, predictions, labels=range(8), average=None, zero_division=0)
    assert f1_of_confusion(confusion_of(labels, predicted)) == pytest.approx(each, abs=1e-12)
    mean = f1_score(truth, predictions, labels=range(8), average="macro", zero_division=0)
    assert macro_f1(labels, predicted) == pytest.approx(mean, abs=1e-12)
    counts = confusion_matrix(truth, predictions, labels=range(8)).tolist()
    assert confusion_of(labels, predicted).tolist() == counts
    assert validation_scores(labels, predicted)["val_confusion"] == counts


@pytest.mark.parametrize(("labels", "predicted"), [(8, 0), (-2, 0), (0, 8), (0, -1)])
def test_a_class_that_does_not_exist_is_refused(labels, predicted):
    with pytest.raises(ValueError, match="invalid entry"):
        macro_f1(np.array([labels, 3]), np.array([predicted, 3]))


def test_confusions_of_the_groups_add_up_to_the_score(frames):
    counts = group_confusions(*frames)
    assert counts.shape == (20, 8, 8)
    assert counts.sum() == (frames[0] >= 0).sum()
    assert f1_of_confusion(counts.sum(axis=0)).mean() == pytest.approx(macro_f1(*frames[:2]), abs=1e-12)


def test_a_class_that_never_occurs_counts_as_zero():
    confusion = np.zeros((8, 8), int)
    confusion[0, 0] = 5
    assert f1_of_confusion(confusion).tolist() == [1.0, 0, 0, 0, 0, 0, 0, 0]


def test_the_interval_is_that_of_drawing_whole_groups(frames):
    counts = group_confusions(*frames)
    rng = np.random.default_rng(1)
    scores = [f1_of_confusion(counts[rng.integers(0, 20, 20)].sum(axis=0)).mean() for _ in range(4000)]
    low, high = macro_f1_interval(counts, 4000, seed=3)
    assert (low, high) == pytest.approx(tuple(np.percentile(scores, [2.5, 97.5])), abs=0.006)
    assert low < macro_f1(*frames[:2]) < high
    assert macro_f1_interval(counts, 100, seed=3) == macro_f1_interval(counts, 100, seed=3)


def test_the_interval_of_a_difference_draws_the_same_videos_for_both_sides():
    rng = np.random.default_rng(0)
    ours, theirs = rng.integers(0, 30, (2, 12, 2, 8, 8))  # 12 videos, two seeds
    drawn = rng.integers(0, 12, (20000, 12))
    by_seed = [
        f1_of_confusion(side[drawn, seed].sum(axis=1)).mean(axis=-1) for side in (ours, theirs) for seed in (0, 1)
    ]
    slow = np.percentile((by_seed[0] + by_seed[1] - by_seed[2] - by_seed[3]) / 2, (2.5, 97.5))
    assert difference_interval(ours, theirs, 20000, seed=1) == pytest.approx(tuple(slow), abs=0.002)
    assert difference_interval(ours, ours, 100, seed=1) == (0.0, 0.0)
    # Each side alone varies much more than their difference, where one side is the other with a few more errors.
    worse = ours + np.eye(8, dtype=int)[::-1]
    low, high = difference_interval(worse, ours, 1000, seed=1)
    alone = macro_f1_interval(ours[:, 0], 1000, seed=1)
    assert high - low < (alone[1] - alone[0]) / 2


def test_identical_groups_give_an_interval_of_width_zero():
    counts = np.stack([np.eye(8, dtype=int) * 4] * 5)
    assert macro_f1_interval(counts, 100, seed=0) == (1.0, 1.0)
    assert macro_f1_interval(counts[:1], 100, seed=0) == (1.0, 1.0)


def test_one_group_gives_its_own_f1_and_equal_groups_too():
    confusion = np.array([[[3, 1], [2, 4]]])
    # F1 = 2 hits / (true + predicted): 6 / (4 + 5) and 8 / (6 + 5).
    expected = [[6 / 9, 6 / 9], [8 / 11, 8 / 11]]
    assert f1_intervals(confusion, 20, seed=0) == pytest.approx(np.array(expected))
    assert f1_intervals(np.repeat(confusion, 5, axis=0), 20, seed=0) == pytest.approx(np.array(expected))


def test_intervals_are_percentiles_of_scores_of_drawn_groups():
    rng = np.random.default_rng(0)
    confusions = rng.integers(0, 30, (12, 3, 3))
    drawn = confusions[rng.integers(0, 12, (20000, 12))].sum(axis=1)
    slow = np.percentile(f1_of_confusion(drawn), (2.5, 97.5), axis=0).T
    found = f1_intervals(confusions, 20000, seed=1)
    assert found == pytest.approx(slow, abs=0.004)
    assert (found == f1_intervals(confusions, 20000, seed=1)).all()
    f1 = f1_of_confusion(confusions.sum(axis=0))
    assert (found[:, 0] < f1).all() and (f1 < found[:, 1]).all()
