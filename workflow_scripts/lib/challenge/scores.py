"""The challenge's score: F1 of each class over all labelled frames pooled, and their mean."""

import numpy as np
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
