"""Scores of one configuration of the ablation, with a smoothing that is searched on each fold's selection tracks.

Shapes: N frames of all held-out tracks.
"""

from collections.abc import Sequence

import numpy as np

from frame_expressions.artifacts.logits import LabelledLogits, join_labelled
from frame_expressions.artifacts.vocabulary import UNLABELLED
from frame_expressions.challenge.scores import group_confusions, macro_f1, macro_f1_interval
from frame_expressions.smoothing.evaluation import EvaluationSettings, macro_f1_complete, names_of_frames, shift_labels
from frame_expressions.smoothing.search import best_smoothing, search
from frame_expressions.smoothing.smoothing import Smoothing, smooth_tracks


class AblationFold:
    """The logits of one fold, and the score of every smoothing on its selection tracks."""

    def __init__(self, selection: LabelledLogits, heldout: LabelledLogits, candidates: Sequence[Smoothing]):
        self.heldout = heldout
        self._scored = list(search(selection, candidates))

    def predict(self, kind: str | None) -> np.ndarray:
        """Classes [N] of the held-out frames, smoothed by the best candidate of one kind, or of all if None."""
        chosen, _ = best_smoothing(row for row in self._scored if kind in (None, row[0].kind))
        return smooth_tracks(self.heldout, chosen)


def padded_frames(folds: Sequence[AblationFold]) -> np.ndarray:
    """Whether the crops of each held-out frame extend past the frame's edge: bool [N]."""
    return np.concatenate([fold.heldout.padded_share for fold in folds]) > 0


def score_configuration(
    folds: Sequence[AblationFold],
    kind: str | None,
    is_padded: np.ndarray,
    group_of: dict[str, str],
    settings: EvaluationSettings,
) -> tuple[dict, np.ndarray]:
    """Scores of the held-out frames of all folds together, and the confusion matrix of each video [G, C, C].

    kind: the smoothing kind to choose from, None for all. is_padded: bool [N], the frames of the padded scores, which
    are None if none of them is labelled. group_of: the video of each track, the unit of the bootstrap.
    """
    frames = shift_labels(join_labelled(fold.heldout for fold in folds), settings.label_shift_frames)
    predicted = np.concatenate([fold.predict(kind) for fold in folds])
    unsmoothed = np.concatenate([fold.predict("none") for fold in folds])
    padded = np.where(is_padded, frames.labels, UNLABELLED)
    counts = group_confusions(frames.labels, predicted, names_of_frames(frames, group_of))
    low, high = macro_f1_interval(counts, settings.num_resamples, settings.seed)
    has_padded = bool((padded != UNLABELLED).any())
    scores = {
        "macro_f1": macro_f1(frames.labels, predicted),
        "macro_f1_low": low,
        "macro_f1_high": high,
        "macro_f1_unsmoothed": macro_f1(frames.labels, unsmoothed),
        "macro_f1_complete": macro_f1_complete(frames, predicted),
        "macro_f1_padded": macro_f1(padded, predicted) if has_padded else None,
        "macro_f1_padded_unsmoothed": macro_f1(padded, unsmoothed) if has_padded else None,
        "num_labelled": int((frames.labels != UNLABELLED).sum()),
        "num_complete": int(((frames.labels != UNLABELLED) & frames.complete).sum()),
        "num_padded": int((padded != UNLABELLED).sum()),
    }
    return scores, counts
