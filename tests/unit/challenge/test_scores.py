import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, f1_score

from frame_expressions.challenge.scores import (
    bootstrap_interval,
    class_f1,
    confusion_of,
    f1_of_confusion,
    group_confusions,
    macro_f1,
    validation_scores,
)


@pytest.fixture
def frames():
    rng = np.random.default_rng(0)
    labels = rng.integers(-1, 8, 400)
    predicted = np.where(rng.random(400) < 0.6, np.maximum(labels, 0), rng.integers(0, 8, 400))
    return labels, predicted, np.array([f"v{number // 20}" for number in range(400)])


@pytest.mark.parametrize("seed", range(20))
def test_scores_are_those_of_sklearn(seed):
    rng = np.random.default_rng(seed)
    # Often a class is not labelled, or not predicted, or neither.
    known, guessed = rng.choice(8, rng.integers(1, 9)), rng.choice(8, rng.integers(1, 9))
    labels, predicted = rng.choice([-1, *known], 200).astype(np.int8), rng.choice(guessed, 200).astype(np.int8)
    labelled = labels >= 0
    truth, predictions = labels[labelled], predicted[labelled]
    each = f1_score(truth, predictions, labels=range(8), average=None, zero_division=0)
    assert class_f1(labels, predicted) == pytest.approx(each, abs=1e-12)
    mean = f1_score(truth, predictions, labels=range(8), average="macro", zero_division=0)
    assert macro_f1(labels, predicted) == pytest.approx(mean, abs=1e-12)
    counts = confusion_matrix(truth, predictions, labels=range(8)).tolist()
    assert confusion_of(labels, predicted).tolist() == counts
    assert validation_scores(labels, predicted)["val_confusion"] == counts


@pytest.mark.parametrize(("labels", "predicted"), [(8, 0), (-2, 0), (0, 8), (0, -1)])
def test_a_class_that_there_is_not_stops(labels, predicted):
    with pytest.raises(ValueError, match="invalid entry"):
        macro_f1(np.array([labels, 3]), np.array([predicted, 3]))


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
