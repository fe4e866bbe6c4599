"""The only mapping between decoded frames and the rows of annotations and templates.

The decoded frames are the reference; row k, counted from 0, belongs to frame k + 1. In Aff-Wild2 the numbers differ by
0 or 1 row, rarely by -3 to 2. A larger difference is suspicious, and more than 5 % of the rows means another video,
unless the frames' times are a regular grid with holes and the rows count its slots: recorders leave out frames that
repeat the one before, and players show that one again. Row k then belongs to the slot k.

Shapes: T decoded frames, R rows.
"""

import logging

import numpy as np

from frame_expressions.artifacts.vocabulary import UNLABELLED
from frame_expressions.runtime.errors import InputError

USUAL_ROWS = 3
LARGEST_SHARE = 0.05
OFF_GRID = 0.3  # of the interval: recorders round times to milliseconds


def labels_for_frames(rows: np.ndarray, time_s: np.ndarray, track: str) -> np.ndarray:
    """Class of every decoded frame: [T] int8, from annotation rows [R] int8 and the frames' times [T].

    Rows past the last frame are dropped, and frames past the last row are -1. Without frames (a skipped video), the
    array is empty. Raises InputError if the difference is over 3 rows and over 5 % of the rows.
    """
    labels = np.full(len(time_s), UNLABELLED, dtype=np.int8)
    row = _rows_of_frames(time_s, len(rows), track)
    labelled = row < len(rows)
    labels[labelled] = rows[row[labelled]]
    return labels


def rows_from_frames(predictions: np.ndarray, time_s: np.ndarray, num_rows: int, track: str) -> np.ndarray:
    """Class of every template row: [num_rows] int8, from predictions [T] of the decoded frames, T >= 1.

    time_s: of the frames, [T]. A row without a frame of its own takes the prediction of the frame before it, and frames
    past the last row are dropped. The caller decides the rows of a skipped video. Raises InputError if the difference
    is over 3 rows and over 5 % of the rows.
    """
    if len(predictions) == 0:
        raise ValueError(f"{track} has no frames to take predictions from")
    frames = np.searchsorted(_rows_of_frames(time_s, num_rows, track), np.arange(num_rows), side="right") - 1
    return np.asarray(predictions, dtype=np.int8)[frames]


def num_rows_expected(time_s: np.ndarray, num_rows: int) -> int:
    """The number of rows that a video's frames ask for, frames or slots, whichever is meant by `num_rows`."""
    slots = frame_slots(time_s)
    counts_slots = slots is not None and _are_slots(slots, num_rows)
    return int(slots[-1]) + 1 if counts_slots else len(time_s)


def frame_slots(time_s: np.ndarray) -> np.ndarray | None:
    """The slot of every frame, int [T], rising from 0, if times [T] are a regular grid with holes; otherwise None."""
    steps_s = np.diff(time_s)
    if len(steps_s) < 2:
        return None
    slots = np.concatenate([[0], np.cumsum(np.rint(steps_s / np.median(steps_s)))]).astype(np.int64)
    interval_s = (time_s[-1] - time_s[0]) / max(slots[-1], 1)  # the median may be rounded
    is_regular = np.abs(time_s - time_s[0] - slots * interval_s).max() <= OFF_GRID * interval_s
    return slots if is_regular and (np.diff(slots) > 0).all() and slots[-1] >= len(time_s) else None


def _rows_of_frames(time_s: np.ndarray, num_rows: int, track: str) -> np.ndarray:
    """The row of every frame, int [T], which may lie past the last one."""
    slots = frame_slots(time_s)
    if slots is not None and _are_slots(slots, num_rows):
        logging.warning("%s: %d rows, as many as its %d frames have slots in time", track, num_rows, len(time_s))
        return slots
    if len(time_s):
        _check_difference(num_rows, len(time_s), track)
    return np.arange(len(time_s))


def _are_slots(slots: np.ndarray, num_rows: int) -> bool:
    """Whether so many rows can only be meant for the slots, not for the frames."""
    return abs(num_rows - slots[-1] - 1) <= USUAL_ROWS < abs(num_rows - len(slots))


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
