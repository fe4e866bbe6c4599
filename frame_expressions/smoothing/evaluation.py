"""Scores the smoothed predictions of one or several folds for their held-out tracks.

Shapes: T frames of a track, N of all tracks, K tracks, C classes.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import pandas as pd

from frame_expressions.artifacts.logits import LabelledLogits, join_labelled
from frame_expressions.artifacts.vocabulary import EXPRESSIONS, UNLABELLED
from frame_expressions.challenge.scores import f1_of_confusion, group_confusions, macro_f1, macro_f1_interval
from frame_expressions.smoothing.smoothing import NO_SMOOTHING, Smoothing, smooth_tracks


@dataclass(frozen=True)
class EvaluationSettings:
    """The block `evaluation` of the configuration: resamples of the bootstrap over videos, their seed, and the labels.

    label_shift_frames: 0, or 1 to score as the authors' scripts do; see `shift_labels`.
    """

    num_resamples: int
    seed: int
    label_shift_frames: int


def shift_labels(frames: LabelledLogits, num_frames: int) -> LabelledLogits:
    """The same frames with each track's labels moved so many frames later.

    The authors' scripts count an annotation's header as a row without label, so the label of row k meets the prediction
    of frame k + 1. The first frames of a track are then unlabelled, and its last labels meet no frame.
    """
    if num_frames == 0:
        return frames
    labels = np.full_like(frames.labels, UNLABELLED)
    start = 0
    for logits in frames.logits.values():
        end = start + len(logits)
        labels[start + num_frames : end] = frames.labels[start : max(start, end - num_frames)]
        start = end
    return replace(frames, labels=labels)


def names_of_frames(frames: LabelledLogits, name_of: dict[str, str] | None = None) -> np.ndarray:
    """The track of each frame [N], or the name that `name_of` gives to its track."""
    names = list(frames.logits) if name_of is None else [name_of[track] for track in frames.logits]
    return np.repeat(names, [len(array) for array in frames.logits.values()])


def score_folds(
    folds: Sequence[LabelledLogits],
    choices: Sequence[Smoothing],
    group_of: dict[str, str],
    settings: EvaluationSettings,
    compared: Sequence[Smoothing] = (),
) -> tuple[dict, pd.DataFrame]:
    """The scores of all held-out frames together and of each fold, JSON-ready, and a table of the tracks.

    choices: the smoothing of each fold. group_of: the video of each track, the unit of the bootstrap. compared: one
    smoothing of each kind, to be scored in all folds. A class without a labelled frame has an F1 of 0; the scores of
    frames with a detected face, and of complete frames, are None if there are none. The table: see `score_tracks`.
    """
    folds = [shift_labels(fold, settings.label_shift_frames) for fold in folds]
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
            "macro_f1_complete": macro_f1_complete(fold, classes),
            **asdict(choice),
        }
        for fold, classes, raw, choice in zip(folds, smoothed, plain, choices, strict=True)
    ]
    on_faces = np.where(detected, labels, UNLABELLED)
    scores = {
        "folds": by_fold,
        **_over_folds(folds, smoothed),
        "macro_f1_interval_95": [low, high],
        "macro_f1_unsmoothed": macro_f1(labels, unsmoothed),
        "macro_f1_detected": macro_f1(on_faces, predicted) if (on_faces != UNLABELLED).any() else None,
        "f1": dict(zip(EXPRESSIONS, f1_of_confusion(counts).tolist(), strict=True)),
        "confusion": counts.tolist(),
        "num_labelled": int((labels != UNLABELLED).sum()),
        "num_labelled_detected": int(((labels != UNLABELLED) & detected).sum()),
        "num_labelled_complete": int(((labels != UNLABELLED) & together.complete).sum()),
        "num_videos": len(set(group)),
    }
    if compared:
        scores["by_kind"] = {
            choice.kind: _over_folds(folds, [smooth_tracks(fold, choice) for fold in folds]) for choice in compared
        }
    return scores, score_tracks(names_of_frames(together), labels, predicted)


def macro_f1_complete(frames: LabelledLogits, predicted: np.ndarray) -> float | None:
    """Macro-F1 of the labelled frames with both face and audio, which the paper scores; None if there are none."""
    labels = np.where(frames.complete, frames.labels, UNLABELLED)
    return macro_f1(labels, predicted) if (labels != UNLABELLED).any() else None


def _over_folds(folds: Sequence[LabelledLogits], predicted: Sequence[np.ndarray]) -> dict:
    """Macro-F1 of all folds' frames together, and over the folds, of all labelled frames and of the complete ones."""
    together, classes = join_labelled(folds), np.concatenate(predicted)
    scores = {}
    for name, score in (("macro_f1", _macro_f1), ("macro_f1_complete", macro_f1_complete)):
        figures = [score(*fold) for fold in zip(folds, predicted, strict=True)]
        scores |= {name: score(together, classes), f"{name}_mean": None if None in figures else float(np.mean(figures))}
        # ddof 1: of a sample, ddof 0: as the authors compute it. A single fold has neither.
        for ending, ddof in (("std", 1), ("std_ddof0", 0)):
            has_none = None in figures or len(figures) < 2
            scores[f"{name}_{ending}"] = None if has_none else float(np.std(figures, ddof=ddof))
    return scores


def _macro_f1(frames: LabelledLogits, predicted: np.ndarray) -> float:
    return macro_f1(frames.labels, predicted)


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
