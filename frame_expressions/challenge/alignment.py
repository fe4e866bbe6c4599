"""The only mapping between decoded frames and the rows of annotations and templates.

The decoded frames are the reference; row k, counted from 0, belongs to frame k + 1. In Aff-Wild2 the numbers differ by
0 or 1 row, rarely by -3 to 2. A larger difference is suspicious, and more than 5 % of the rows means another video.
"""

import logging

import numpy as np

from frame_expressions.artifacts.vocabulary import UNLABELLED
from frame_expressions.runtime.errors import InputError

USUAL_ROWS = 3
LARGEST_SHARE = 0.05


def labels_for_frames(rows: np.ndarray, num_frames: int, track: str) -> np.ndarray:
    """Class of every decoded frame: [num_frames] int8, from annotation rows [R] int8.

    Rows past the last frame are dropped, and frames past the last row are -1. Without frames (a skipped video), the
    array is empty. Raises InputError if the difference is over 3 rows and over 5 % of the rows.
    """
    labels = np.full(num_frames, UNLABELLED, dtype=np.int8)
    if num_frames:
        _check_difference(len(rows), num_frames, track)
        common = min(len(rows), num_frames)
        labels[:common] = rows[:common]
    return labels


def rows_from_frames(predictions: np.ndarray, num_rows: int, track: str) -> np.ndarray:
    """Class of every template row: [num_rows] int8, from predictions [T] of the decoded frames, T >= 1.

    Rows past the last frame take its prediction, and frames past the last row are dropped. The caller decides the
    rows of a skipped video. Raises InputError if the difference is over 3 rows and over 5 % of the rows.
    """
    if len(predictions) == 0:
        raise ValueError(f"{track} has no frames to take predictions from")
    _check_difference(num_rows, len(predictions), track)
    frames = np.minimum(np.arange(num_rows), len(predictions) - 1)
    return np.asarray(predictions, dtype=np.int8)[frames]


def _check_difference(num_rows: int, num_frames: int, track: str) -> None:
    difference = abs(num_rows - num_frames)
    if difference <= USUAL_ROWS:
        return
    if difference > LARGEST_SHARE * num_rows:
        raise InputError(
            f"Track {track} has {num_rows} rows but its video has {num_frames} frames, more than 5 % apart",
            "check that annotation or template and video belong together and that the video is whole",
        )
    logging.warning("%s: %d rows, but %d decoded frames", track, num_rows, num_frames)
