"""A video's timeline: the artifact that lists its frames and their times, and holds the clock of its audio."""

import json
from bisect import bisect_left
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from frame_expressions.artifacts.parquet import read_metadata, read_parquet, read_provenance, write_parquet
from frame_expressions.artifacts.schemas import TIMELINE
from frame_expressions.media.clock import Clock
from frame_expressions.runtime.errors import InputError

_CLOCK = "clock"
LONGEST_STEP = 1.5
"""Of frames without stamps of their own, in mean intervals. Recorders that round stamps down let distances vary."""

SINGLE_FRAME_S = 0.04
"""Length of a video with a single frame, if the file does not state it."""

ROUNDING_S = 0.002
"""Containers round times to whole ms: a last frame whose stated length is this close to the usual has the usual one."""


class FrameRow(NamedTuple):
    """What a timeline keeps of a frame; see `video.Frame`."""

    stamp_s: Fraction | None
    step_s: float
    decoded: bool
    width_px: int
    height_px: int
    length_s: float | None = None


def write_timeline(rows: Sequence[FrameRow], clock: Clock, path: Path, provenance: dict) -> tuple[np.ndarray, float]:
    """Write the timeline of a video's frames; returns their times, see `frame_times`.

    The length of the last frame is kept, if the file states it.
    """
    time_s, start_s = frame_times([row.stamp_s for row in rows], rows[0].step_s if rows else 0.0)
    columns = {
        "frame": np.arange(1, len(rows) + 1, dtype=np.int32),
        "time_s": time_s,
        **{name: [getattr(row, name) for row in rows] for name in ("decoded", "width_px", "height_px")},
    }
    stored = {"start_s": start_s, "clock": clock.as_dict(), "last_s": rows[-1].length_s if rows else None}
    metadata = {_CLOCK: json.dumps(stored, sort_keys=True)}
    write_parquet(pa.table(columns, TIMELINE), path, provenance, metadata)
    return time_s, start_s


def read_start(timeline: Path) -> tuple[Clock, float]:
    """The file's clock, and the time of the first frame on it, in s."""
    stored = json.loads(read_metadata(timeline, _CLOCK.encode()))
    return Clock.from_dict(stored["clock"]), stored["start_s"]


def read_last_s(timeline: Path) -> float | None:
    """The length of the last frame in s, None if the file does not state it; for `duration_s`."""
    return json.loads(read_metadata(timeline, _CLOCK.encode())).get("last_s")


def frame_times(stamps_s: Sequence[Fraction | None], step_s: float) -> tuple[np.ndarray, float]:
    """Times of the frames, float64 [T], strictly increasing from 0, and the first frame's stamp.

    stamps_s: [T], of the frames in display order, None for a frame without a stamp. step_s: between frames, for stamps
    that do not say it. A stamp is right if it is one of the longest rising sequence of stamps; a frame whose stamp is
    missing, repeated or out of order comes at even distances between those with right ones, but at most 1.5 mean
    intervals after the frame before it. At the end of the video, frames without a stamp go on with the last interval.
    """
    origin = next((stamp for stamp in stamps_s if stamp is not None), None)
    if origin is None:
        return np.arange(len(stamps_s)) * step_s, 0.0
    stamps = np.array([np.nan if stamp is None else float(stamp - origin) for stamp in stamps_s])
    right = _rising(stamps)
    spans_s, counts = np.diff(stamps[right]), np.diff(right)
    usual_s = spans_s.sum() / counts.sum() if len(right) > 1 else step_s
    times = stamps.copy()
    for first, count, span_s in zip(right, counts, spans_s, strict=False):
        inside = np.arange(1, count)
        times[first + inside] = stamps[first] + inside * min(LONGEST_STEP * usual_s, span_s / count)
    last = right[-1]
    after = np.arange(1, len(stamps) - last)
    goes_on_s = spans_s[-1] / counts[-1] if len(spans_s) and np.isnan(stamps[-1]) else usual_s
    times[last + after] = stamps[last] + after * goes_on_s
    before = np.arange(right[0])
    times[before] = stamps[right[0]] - (right[0] - before) * usual_s
    return times - times[0], float(origin) + float(times[0])


def _rising(stamps: np.ndarray) -> np.ndarray:
    """Indices of the longest strictly rising sequence of stamps [T]; of equal neighbours, the first; NaN is none."""
    known = np.flatnonzero(~np.isnan(stamps))
    if (np.diff(stamps[known]) > 0).all():
        return known
    tails: list[float] = []  # of each length, the smallest last stamp
    ends: list[int] = []  # and its index
    before = np.full(len(stamps), -1)
    for index in known.tolist():
        length = bisect_left(tails, stamps[index])
        before[index] = ends[length - 1] if length else -1
        if length == len(tails):
            tails.append(stamps[index])
            ends.append(index)
        elif stamps[index] < tails[length]:
            tails[length], ends[length] = stamps[index], index
    chosen, index = [], ends[-1] if ends else -1
    while index >= 0:
        while index - 1 > before[index] and stamps[index - 1] == stamps[index]:
            before[index - 1] = before[index]
            index -= 1
        chosen.append(index)
        index = before[index]
    return np.array(chosen[::-1], dtype=np.int64)


def read_times(timeline: Path) -> np.ndarray:
    """time_s of every frame, float64 [T], strictly increasing; empty for a skipped video."""
    return read_parquet(timeline, columns=["time_s"])["time_s"].to_numpy()


def check_unchanged(video: Path, timeline: Path, provenance: dict) -> None:
    """Raise InputError if the content of `video` in an artifact's provenance differs from that in its timeline's.

    Decoding is deterministic: an unchanged file that passed the limits during extraction still passes them.
    """
    decoded = read_provenance(timeline)["inputs"]
    now = provenance["inputs"]
    if video.name in decoded and video.name in now and decoded[video.name] != now[video.name]:
        raise InputError(f"{video} has changed since {timeline} was made from it", "run the same command again")


def duration_s(time_s: np.ndarray, last_s: float | None = None) -> float:
    """Length in s of a timeline [T], until the end of its last frame; 0 if empty.

    last_s: the length of the last frame, if the file states it; otherwise it is one median frame interval.
    """
    if len(time_s) == 0:
        return 0.0
    usual_s = np.median(np.diff(time_s)) if len(time_s) > 1 else SINGLE_FRAME_S
    is_stated = last_s is not None and abs(last_s - usual_s) > ROUNDING_S
    return float(time_s[-1] + (last_s if is_stated else usual_s))
