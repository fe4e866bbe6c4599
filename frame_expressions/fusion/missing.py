"""Frames that lack a face or audio: which of them a model trains on, and what they are predicted from.

Shapes: N frames, T frames of a track.
"""

from dataclasses import dataclass

import numpy as np

from frame_expressions.artifacts.vocabulary import NEAREST_FEATURE, NEAREST_FRAME

EITHER, COMPLETE = "either", "complete"
"""The frames that a model trains on: those with a face or audio, or those with both."""

AUTO, ALONE = "auto", "alone"


@dataclass(frozen=True)
class MissingSettings:
    """The block `fusion.missing` of the configuration.

    training: EITHER or COMPLETE. prediction: ALONE, NEAREST_FRAME, NEAREST_FEATURE, or AUTO, which leaves the choice to
    the model, see `filling_of`.
    """

    training: str
    prediction: str


def filling_of(prediction: str, trained_on: str) -> str:
    """How incomplete frames are filled: ALONE, NEAREST_FRAME or NEAREST_FEATURE.

    prediction: the setting. trained_on: of the model. A model that has only seen complete frames gets no others.
    Source: the authors' code, which takes NEAREST_FRAME on validation and NEAREST_FEATURE in the test submission.
    """
    if prediction != AUTO:
        return prediction
    return NEAREST_FRAME if trained_on == COMPLETE else ALONE


def usable_frames(visual_present: np.ndarray, audio_present: np.ndarray, trained_on: str) -> np.ndarray:
    """The frames that a model may be trained on, bool [N]: those with a face or audio, or only the complete ones."""
    return visual_present & audio_present if trained_on == COMPLETE else visual_present | audio_present


def imputed_frames(visual_present: np.ndarray, audio_present: np.ndarray, filling: str) -> np.ndarray:
    """The frames of one track whose features or logits come from another frame: bool [T].

    A frame with neither face nor audio always counts, also in a track that has no others.
    """
    has_nothing = ~(visual_present | audio_present)
    is_complete = visual_present & audio_present
    if filling == NEAREST_FRAME and is_complete.any():
        return ~is_complete
    if filling == NEAREST_FEATURE:
        lacks_face = ~visual_present & visual_present.any()
        lacks_audio = ~audio_present & audio_present.any()
        return lacks_face | lacks_audio | has_nothing
    return has_nothing


def nearest_rows(known: np.ndarray, prefer_later: bool = False) -> np.ndarray:
    """The nearest known frame to each frame, from 0: int [T]. A known frame is its own.

    known: bool [T]; if no frame is known, each is its own. prefer_later: of two equally near, the later, not the
    earlier.
    """
    position = np.arange(len(known))
    rows = np.flatnonzero(known)
    if len(rows) == 0:
        return position
    after = np.minimum(np.searchsorted(rows, position), len(rows) - 1)
    before = np.maximum(after - 1, 0)
    to_before, to_after = np.abs(position - rows[before]), np.abs(rows[after] - position)
    is_before = to_before < to_after if prefer_later else to_before <= to_after
    return np.where(is_before & ~known, rows[before], rows[after])
