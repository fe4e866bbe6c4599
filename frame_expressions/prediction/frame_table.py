"""The table of one predicted video: every frame of every person in it.

Shapes: T frames of a video, C classes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
from scipy.special import softmax

from frame_expressions.artifacts.schemas import PREDICTIONS
from frame_expressions.artifacts.vocabulary import (
    ABSENT,
    AUDIO,
    EXPRESSIONS,
    FACE,
    FACE_AND_AUDIO,
    NEAREST_FEATURE,
    NEAREST_FRAME,
    NOTHING,
)
from frame_expressions.fusion.missing import imputed_frames
from frame_expressions.smoothing.smoothing import Smoothing

PROBABILITIES = tuple(f"p_{name}" for name in EXPRESSIONS)
_EDGES = ("x1_px", "y1_px", "x2_px", "y2_px")


@dataclass(frozen=True)
class PersonPrediction:
    """The logits of one person in a video, and where the face is.

    person: 1-based rank by presence (box size summed over frames). logits: float [T, C]. xyxy_px: float32 [T, 4], NaN
    where the face is absent. status: [T], one of FACE_STATUSES each. face_present, audio_present: bool [T], what each
    frame has. filling: what the model received in place of the rest, see `fusion.missing.filling_of`.
    """

    person: int
    logits: np.ndarray
    xyxy_px: np.ndarray
    status: Sequence[str]
    face_present: np.ndarray
    audio_present: np.ndarray
    filling: str

    @classmethod
    def of_subject(
        cls, person: int, logits: np.ndarray, presence: tuple[np.ndarray, np.ndarray], filling: str, subject: pa.Table
    ) -> "PersonPrediction":
        """Take boxes and status from a subject file's table. presence: of face and audio, see `read_presence`."""
        boxes = [[np.nan] * 4 if box is None else box for box in subject["xyxy_px"].to_pylist()]
        xyxy_px = np.array(boxes, np.float32).reshape(-1, 4)
        return cls(person, logits, xyxy_px, subject["status"].to_pylist(), *presence, filling)

    @property
    def imputed(self) -> np.ndarray:
        """Whether the features or logits of each frame come from another one, bool [T]."""
        return imputed_frames(self.face_present, self.audio_present, self.filling)

    @property
    def predicted_from(self) -> np.ndarray:
        """One of SOURCES for each frame, [T]."""
        of_face = np.where(self.audio_present, FACE_AND_AUDIO, FACE)
        own = np.where(self.face_present, of_face, AUDIO)
        has_something = self.face_present | self.audio_present
        return np.where(has_something, np.where(self.imputed, self.filling, own), NOTHING).astype(object)


def predictions_table(
    predictions: Iterable[PersonPrediction], time_s: np.ndarray, smoothing: Smoothing
) -> pd.DataFrame:
    """One row per person and frame, with the columns of `schemas.PREDICTIONS`.

    frame: 1-based. time_s: [T], from the first frame. p_*: probabilities before smoothing. expression: the class after
    smoothing. predicted_from: one of SOURCES; with nothing, p_* are NaN and the expression is None. face: one of
    FACE_STATUSES. People who are never seen have no rows. If nobody is seen, the first person's rows are kept.
    """
    parts = [_rows(prediction, time_s, smoothing) for prediction in predictions]
    seen = [part for part in parts if (part["face"] != ABSENT).any()]
    return pd.concat(seen or parts[:1], ignore_index=True)[PREDICTIONS.names]


def _rows(prediction: PersonPrediction, time_s: np.ndarray, smoothing: Smoothing) -> pd.DataFrame:
    predicted_from = prediction.predicted_from
    unknown = predicted_from == NOTHING
    expressions = np.array(EXPRESSIONS, dtype=object)[smoothing.classes(prediction.logits, time_s, prediction.imputed)]
    expressions[unknown] = None
    probabilities = softmax(prediction.logits.astype(np.float64), axis=1).astype(np.float32)
    probabilities[unknown] = np.nan
    return pd.DataFrame(
        {
            "frame": np.arange(1, len(time_s) + 1, dtype=np.int32),
            "time_s": time_s,
            "person": np.full(len(time_s), prediction.person, np.int32),
            **dict(zip(PROBABILITIES, probabilities.T, strict=True)),
            "expression": expressions,
            "predicted_from": predicted_from,
            "face": prediction.status,
            **dict(zip(_EDGES, prediction.xyxy_px.T, strict=True)),
        }
    )


SUMMARY_COLUMNS = (
    *("video", "file", "person", "not_followed", "frames", "last_frame_s", "discontinuities"),
    *("with_face", "with_audio", "unpredicted", "most_frequent"),
    *EXPRESSIONS,
    "skipped",
)


def skipped_row(video: str, path: str, reason: str) -> dict:
    """The row of a video that was skipped in the list of predictions."""
    return {"video": video, "file": path, "frames": 0, "unpredicted": 0, "skipped": " ".join(reason.split())}


def summary_rows(video: str, path: str, frames: pd.DataFrame, settings: dict) -> list[dict]:
    """The rows of one video in the list of predictions: one per person, or that of a skipped video.

    frames: the video's table. path: its file. settings: of the table's provenance. Each row has the number of persons
    whom no track follows, the number of frames, the last frame's time, the discontinuities, the shares of frames with a
    face and with audio, the number of frames without a prediction, the most frequent expression, and the share of each
    among the other frames.
    """
    if frames.empty:
        return [skipped_row(video, path, settings["skipped"])]
    rows = []
    for person, of_person in frames.groupby("person"):
        share = of_person["expression"].value_counts(normalize=True)  # leaves out frames without a prediction
        source = of_person["predicted_from"]
        # A frame that was filled has either a face or audio.
        is_filled, has_face = source.isin([NEAREST_FRAME, NEAREST_FEATURE]), of_person["face"] != ABSENT
        rows.append(
            {
                "video": video,
                "file": path,
                "person": person,
                "not_followed": settings["not_followed"],
                "frames": len(of_person),
                "last_frame_s": f"{round(of_person['time_s'].max(), 3):.12g}",  # milliseconds, however late
                "discontinuities": settings["discontinuities"],
                "with_face": (source.isin([FACE, FACE_AND_AUDIO]) | (is_filled & has_face)).mean(),
                "with_audio": (source.isin([AUDIO, FACE_AND_AUDIO]) | (is_filled & ~has_face)).mean(),
                "unpredicted": int((source == NOTHING).sum()),
                "most_frequent": share.idxmax() if len(share) else None,
            }
            | {name: share.get(name, 0.0) if len(share) else None for name in EXPRESSIONS}
        )
    return rows
