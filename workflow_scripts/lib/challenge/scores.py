"""The challenge's score: F1 of each class over all labelled frames pooled, and their mean."""

import numpy as np
from sklearn.metrics import f1_score

from workflow_scripts.lib.challenge.expressions import NUM_CLASSES, UNLABELLED
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
