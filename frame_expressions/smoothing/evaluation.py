"""Scores the smoothed predictions of one or several folds for their held-out tracks.

Shapes: T frames of a track, N of all tracks, K tracks, C classes.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from frame_expressions.artifacts.logits import LabelledLogits, join_labelled
from frame_expressions.artifacts.vocabulary import EXPRESSIONS, UNLABELLED
from frame_expressions.challenge.scores import f1_of_confusion, group_confusions, macro_f1, macro_f1_interval
from frame_expressions.smoothing.smoothing import NO_SMOOTHING, Smoothing, smooth_tracks


@dataclass(frozen=True)
class EvaluationSettings:
    """The block `evaluation` of the configuration: resamples of the bootstrap over videos, and their seed."""

    num_resamples: int
    seed: int


def names_of_frames(frames: LabelledLogits, name_of: dict[str, str] | None = None) -> np.ndarray:
    """The track of each frame [N], or the name that `name_of` gives to its track."""
    names = list(frames.logits) if name_of is None else [name_of[track] for track in frames.logits]
    return np.repeat(names, [len(array) for array in frames.logits.values()])


def score_folds(
    folds: Sequence[LabelledLogits],
    choices: Sequence[Smoothing],
    group_of: dict[str, str],
    settings: EvaluationSettings,
) -> tuple[dict, pd.DataFrame]:
    """The scores of all held-out frames together and of each fold, JSON-ready, and a table of the tracks.

    choices: the smoothing of each fold. group_of: the video of each track, the unit of the bootstrap. A class without a
    labelled frame has an F1 of 0; the score of frames with a detected face is None if there are none. The table: see
    `score_tracks`.
    """
    smoothed = [smooth_tracks(fold, choice) for fold, choice in zip(folds, choices, strict=True)]
    plain = [smooth_tracks(fold, NO_SMOOTHING) for fold in folds]
    together, predicted, unsmoothed = join_labelled(folds), np.concatenate(smoothed), np.concatenate(plain)
    labels, detected = together.labels, together.detected
    group = names_of_frames(together, group_of)
    low, high = macro_f1_interval(group_confusions(labels, predicted, group), settings.num_resamples, settings.seed)
    counts = group_confusions(labels, predicted, np.zeros(len(labels)))[0]
    by_fold = [
        {
            "macro_f1": macro_f1(fold.labels, classes),
            "macro_f1_unsmoothed": macro_f1(fold.labels, raw),
            **asdict(choice),
        }
        for fold, classes, raw, choice in zip(folds, smoothed, plain, choices, strict=True)
    ]
    on_faces = np.where(detected, labels, UNLABELLED)
    figures = np.array([row["macro_f1"] for row in by_fold])
    scores = {
        "folds": by_fold,
        "macro_f1_mean": float(figures.mean()),
        # The sample's standard deviation; a single fold has none.
        "macro_f1_std": float(figures.std(ddof=1)) if len(figures) > 1 else None,
        "macro_f1": macro_f1(labels, predicted),
        "macro_f1_interval_95": [low, high],
        "macro_f1_unsmoothed": macro_f1(labels, unsmoothed),
        "macro_f1_detected": macro_f1(on_faces, predicted) if (on_faces != UNLABELLED).any() else None,
        "f1": dict(zip(EXPRESSIONS, f1_of_confusion(counts).tolist(), strict=True)),
        "confusion": counts.tolist(),
        "num_labelled": int((labels != UNLABELLED).sum()),
        "num_labelled_detected": int(((labels != UNLABELLED) & detected).sum()),
        "num_videos": len(set(group)),
    }
    return scores, score_tracks(names_of_frames(together), labels, predicted)


def score_tracks(track: np.ndarray, labels: np.ndarray, predicted: np.ndarray) -> pd.DataFrame:
    """By track its labelled frames, its accuracy, and the macro-F1 of all other tracks, which shows its influence.

    track: of each frame, [N]. labels, predicted: [N].
    """
    counts = group_confusions(labels, predicted, track)
    labelled = counts.sum(axis=(1, 2))
    hits = np.diagonal(counts, axis1=1, axis2=2).sum(axis=1)
    return pd.DataFrame(
        {
            "track": np.unique(track),
            "num_labelled": labelled,
            "accuracy": hits / np.maximum(labelled, 1),
            "macro_f1_without": f1_of_confusion(counts.sum(axis=0) - counts).mean(axis=1),
        }
    )
