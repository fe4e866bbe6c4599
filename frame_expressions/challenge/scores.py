"""The challenge's score: F1 of each class over all labelled frames pooled, and their mean.

Shapes: N frames, G groups, C classes.
"""

from collections.abc import Callable

import numpy as np

from frame_expressions.artifacts.vocabulary import EXPRESSIONS, NUM_CLASSES
from frame_expressions.runtime.errors import InputError


def macro_f1(labels: np.ndarray, predicted: np.ndarray) -> float:
    """Mean of the eight classes' F1, from labels and predictions [N] int in challenge order.

    Frames labelled -1 are left out. A class that is neither labelled nor predicted counts as 0, since the
    challenge averages over all eight. Raises InputError if no frame is labelled.
    """
    return macro_f1_of(confusion_of(labels, predicted))


def macro_f1_of(confusion: np.ndarray) -> float:
    """Mean of the classes' F1, from a confusion matrix [C, C]. Raises InputError if it counts no frame."""
    if not confusion.any():
        raise InputError("No frame is labelled, so there is nothing to score", "add annotations to the scored tracks")
    return float(f1_of_confusion(confusion).mean())


def validation_scores(labels: np.ndarray, predicted: np.ndarray) -> dict:
    """Macro-F1, F1 by class name, and the confusion matrix [true][predicted], ready for metrics.json.

    Arguments and errors as for `macro_f1`.
    """
    confusion = confusion_of(labels, predicted)
    return {
        "val_macro_f1": macro_f1_of(confusion),
        "val_f1": dict(zip(EXPRESSIONS, f1_of_confusion(confusion).tolist(), strict=True)),
        "val_confusion": confusion.tolist(),
    }


def confusion_of(labels: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Confusion matrix [true][predicted] of the labelled frames: [C, C] int64; arguments as for `macro_f1`."""
    return _counts(labels, predicted, (), ())


def group_confusions(labels: np.ndarray, predicted: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Confusion matrix [true][predicted] of each group's labelled frames: [G, C, C] int64, groups in sorted order.

    labels, predictions [N] int; group [N]. A group without a labelled frame has a matrix of zeros.
    """
    names, number = np.unique(group, return_inverse=True)
    return _counts(labels, predicted, (number,), (len(names),))


def _counts(labels: np.ndarray, predicted: np.ndarray, group: tuple, groups: tuple) -> np.ndarray:
    # Unlabelled frames, -1, are counted in a row of their own, which is cheaper than filtering them.
    shape = (*groups, 1 + NUM_CLASSES, NUM_CLASSES)
    cell = np.ravel_multi_index((*group, 1 + np.asarray(labels), np.asarray(predicted)), shape)
    return np.bincount(cell, minlength=np.prod(shape)).reshape(shape)[..., 1:, :]


def f1_of_confusion(confusion: np.ndarray) -> np.ndarray:
    """F1 of each class [..., C] from confusion matrices [..., C, C]; 0 for a class that never occurs."""
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    occurrences = confusion.sum(axis=-1) + confusion.sum(axis=-2)
    return 2.0 * hits / np.maximum(occurrences, 1)


def macro_f1_interval(confusions: np.ndarray, num_resamples: int, seed: int) -> tuple[float, float]:
    """95 % interval of macro-F1; see `f1_intervals`."""
    ((low, high),) = _bootstrap(_mean_f1, confusions, num_resamples, seed)
    return float(low), float(high)


def difference_interval(
    confusions: np.ndarray, others: np.ndarray, num_resamples: int, seed: int
) -> tuple[float, float]:
    """95 % interval of the mean difference of macro-F1 between runs and other runs, both [G, S, C, C] for S seeds.

    The same groups (videos) are drawn for both sides, so what is common to them cancels out; see `f1_intervals`.
    """
    both = np.stack([confusions, others], axis=1)  # [G, 2, S, C, C]
    ((low, high),) = _bootstrap(_mean_difference, both, num_resamples, seed)
    return float(low), float(high)


def f1_intervals(confusions: np.ndarray, num_resamples: int, seed: int) -> np.ndarray:
    """95 % percentile interval [C, 2] of each class's F1 over groups (videos) drawn with replacement, from [G, C, C].

    Frames of one video are not independent, so whole videos are drawn. With one group each interval is its F1.
    """
    return _bootstrap(f1_of_confusion, confusions, num_resamples, seed)


def _mean_f1(confusion: np.ndarray) -> np.ndarray:
    return f1_of_confusion(confusion).mean(axis=-1, keepdims=True)


def _mean_difference(confusion: np.ndarray) -> np.ndarray:
    """Difference of the two sides [..., 2, S, C, C], averaged over the seeds: [..., 1]."""
    scores = f1_of_confusion(confusion).mean(axis=-1)
    return (scores[..., 0, :] - scores[..., 1, :]).mean(axis=-1, keepdims=True)


def _bootstrap(
    score: Callable[[np.ndarray], np.ndarray], confusions: np.ndarray, num_resamples: int, seed: int
) -> np.ndarray:
    """Lower and upper limits [K, 2] of scores [..., K] of confusion matrices; of the groups they are [G, ..., C, C]."""
    # Most rules score without intervals, and this import would take half of their start-up time.
    from scipy.stats import bootstrap

    if len(confusions) < 2:
        return np.repeat(score(confusions.sum(axis=0))[:, None], 2, axis=1)

    def score_drawn(drawn: np.ndarray, axis: int = -1) -> np.ndarray:
        return np.moveaxis(
            score(confusions[drawn].sum(axis=axis - (confusions.ndim - 1))), -1, 0
        )  # SciPy wants the resamples last

    found = bootstrap(
        (np.arange(len(confusions)),),
        score_drawn,
        n_resamples=num_resamples,
        batch=100,
        vectorized=True,
        method="percentile",
        rng=np.random.default_rng(seed),
    )
    return np.stack(found.confidence_interval, axis=-1)
