"""A video's timeline: the artifact that says which frames there are and when."""

from pathlib import Path

import numpy as np

from frame_expressions.artifacts.parquet import read_parquet, read_provenance
from frame_expressions.runtime.errors import InputError

SINGLE_FRAME_S = 0.04


def read_times(timeline: Path) -> np.ndarray:
    """time_s of every frame, float64 [T], rising; empty for a skipped video."""
    return read_parquet(timeline, columns=["time_s"])["time_s"].to_numpy()


def check_unchanged(video: Path, timeline: Path, provenance: dict) -> None:
    """Raise InputError where an artifact's provenance has other content of `video` than its timeline was made from.

    Decoding is deterministic: a file that is unchanged since it kept the limits of extraction still keeps them.
    """
    decoded = read_provenance(timeline)["inputs"]
    now = provenance["inputs"]
    if video.name in decoded and video.name in now and decoded[video.name] != now[video.name]:
        raise InputError(f"{video} has changed since {timeline} was made from it", "run the same command again")


def duration_s(time_s: np.ndarray) -> float:
    """Length in s of a timeline [T]: until one median frame interval after the last picture; 0 when empty."""
    if len(time_s) == 0:
        return 0.0
    return float(time_s[-1] + (np.median(np.diff(time_s)) if len(time_s) > 1 else SINGLE_FRAME_S))
