"""The challenge's score: F1 of each class over all labelled frames pooled, and their mean.

Shapes: N frames, G groups, C classes.
"""

import numpy as np
from scipy.stats import bootstrap
from sklearn.metrics import confusion_matrix, f1_score

from workflow_scripts.lib.challenge.expressions import EXPRESSIONS, NUM_CLASSES, UNLABELLED
from workflow_scripts.lib.errors import InputError


def class_f1(expression: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """F1 of each class: [8] float64, from labels and predictions [N] int in challenge order.

    Frames labelled -1 are left out. A class that is neither labelled nor predicted counts as 0, since the
    challenge averages over all eight. Raises InputError when no frame is labelled.
    """
    expression, predicted = np.asarray(expression), np.asarray(predicted)
    labelled = expression != UNLABELLED
    if not labelled.any():
        raise InputError("There is no labelled frame to score; give annotations to the tracks that are scored.")
    return f1_score(expression[labelled], predicted[labelled], labels=range(NUM_CLASSES), average=None, zero_division=0)


def macro_f1(expression: np.ndarray, predicted: np.ndarray) -> float:
    """Mean of the eight classes' F1; arguments and errors as for `class_f1`."""
    return float(class_f1(expression, predicted).mean())


def validation_scores(expression: np.ndarray, predicted: np.ndarray) -> dict:
    """Macro-F1, F1 by class name, and the confusion matrix [true][predicted], ready for metrics.json.

    Arguments and errors as for `class_f1`.
    """
    labelled = np.asarray(expression) != UNLABELLED
    counts = confusion_matrix(expression[labelled], predicted[labelled], labels=range(NUM_CLASSES))
    per_class = class_f1(expression, predicted)
    return {
        "val_macro_f1": float(per_class.mean()),
        "val_f1": dict(zip(EXPRESSIONS, per_class.tolist(), strict=True)),
        "val_confusion": counts.tolist(),
    }


def group_confusions(expression: np.ndarray, predicted: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Confusion matrix [true][predicted] of each group's labelled frames: [G, C, C] int64, groups in sorted order.

    expression, predicted [N] int; group [N]. A group without a labelled frame has a matrix of zeros.
    """
    names, number = np.unique(group, return_inverse=True)
    counts = np.zeros((len(names), NUM_CLASSES, NUM_CLASSES), dtype=np.int64)
    labelled = expression != UNLABELLED
    np.add.at(counts, (number[labelled], expression[labelled], predicted[labelled]), 1)
    return counts


def f1_of_confusion(confusion: np.ndarray) -> np.ndarray:
    """F1 of each class [..., C] from confusion matrices [..., C, C]; 0 for a class that nowhere occurs."""
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    occurrences = confusion.sum(axis=-1) + confusion.sum(axis=-2)
    return 2.0 * hits / np.maximum(occurrences, 1)


def bootstrap_interval(confusions: np.ndarray, num_resamples: int, seed: int) -> tuple[float, float]:
    """95 % percentile interval of macro-F1 over groups (videos) drawn with replacement, from [G, C, C].

    Frames of one video are no independent draws, so whole videos are. With one group the interval is its score.
    """
    if len(confusions) < 2:
        score = float(f1_of_confusion(confusions.sum(axis=0)).mean())
        return score, score

    def macro_f1_of(drawn: np.ndarray, axis: int = -1) -> np.ndarray:
        return f1_of_confusion(confusions[drawn].sum(axis=axis - 2)).mean(axis=-1)

    found = bootstrap(
        (np.arange(len(confusions)),),
        macro_f1_of,
        n_resamples=num_resamples,
        batch=100,
        vectorized=True,
        method="percentile",
        rng=np.random.default_rng(seed),
    )
    return float(found.confidence_interval.low), float(found.confidence_interval.high)
