"""The table of one predicted video: every frame of every person who is in it.

Shapes: T frames of a video, C classes.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import softmax

from frame_expressions.artifacts.parquet import read_parquet
from frame_expressions.artifacts.vocabulary import EXPRESSIONS
from frame_expressions.faces.subject import ABSENT
from frame_expressions.smoothing.smoothing import Smoothing

PROBABILITIES = tuple(f"p_{name}" for name in EXPRESSIONS)
COLUMNS = ("frame", "time_s", "person", *PROBABILITIES, "expression", "face", "x1_px", "y1_px", "x2_px", "y2_px")


@dataclass(frozen=True)
class Prediction:
    """One person's logits [T, C] in a video, and the subject file that says where the face is."""

    person: int
    logits: np.ndarray
    subject: Path


def predictions_table(predictions: Iterable[Prediction], time_s: np.ndarray, smoothing: Smoothing) -> pd.DataFrame:
    """One row per person and frame: COLUMNS.

    frame: 1-based. person: 1 is the one there large and long first. p_*: probabilities before smoothing. expression:
    after it. face: detected, interpolated or absent; an absent face is predicted from the sound. Persons who are never
    seen have no rows, unless nobody is.
    """
    parts = [_of_person(prediction, time_s, smoothing) for prediction in predictions]
    seen = [part for part in parts if (part["face"] != ABSENT).any()]
    return pd.concat(seen or parts[:1], ignore_index=True)[list(COLUMNS)]


def _of_person(prediction: Prediction, time_s: np.ndarray, smoothing: Smoothing) -> pd.DataFrame:
    subject = read_parquet(prediction.subject, columns=["frame", "status", "xyxy_px"])
    boxes = [[np.nan] * 4 if box is None else box for box in subject["xyxy_px"].to_pylist()]
    classes = smoothing.classes(prediction.logits, time_s)
    probabilities = softmax(prediction.logits.astype(np.float64), axis=1).astype(np.float32)
    return pd.DataFrame(
        {
            "frame": subject["frame"].to_numpy(),
            "time_s": time_s,
            "person": np.full(len(time_s), prediction.person, np.int32),
            **dict(zip(PROBABILITIES, probabilities.T, strict=True)),
            "expression": np.array(EXPRESSIONS, dtype=object)[classes],
            "face": subject["status"].to_pylist(),
            **dict(
                zip(
                    ("x1_px", "y1_px", "x2_px", "y2_px"),
                    np.array(boxes, np.float32).reshape(-1, 4).T,
                    strict=True,
                )
            ),
        }
    )
