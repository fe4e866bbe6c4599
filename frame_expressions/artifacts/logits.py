"""Logits of whole tracks, kept as Parquet.

Shapes: T frames of a track, N of all tracks, C classes.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from frame_expressions.artifacts.parquet import parquet_writer, read_parquet, track_rows
from frame_expressions.artifacts.vocabulary import NUM_CLASSES
from frame_expressions.runtime.errors import InputError


@dataclass(frozen=True)
class LabelledLogits:
    """Logits [T, C] float32 and times [T] float64 by track, and of all their frames, end to end: labels [N] int8
    (-1 unlabelled), detected [N] bool (the face was found, not interpolated or absent), padded_share [N] float32 (share
    of its crops that lies outside the picture)."""

    logits: dict[str, np.ndarray]
    time_s: dict[str, np.ndarray]
    labels: np.ndarray
    detected: np.ndarray
    padded_share: np.ndarray


FRAME_COLUMNS = {"label": pa.int8(), "detected": pa.bool_(), "padded_share": pa.float32()}
"""What is known of labelled frames beside their logits, in the order of the last fields of LabelledLogits."""

ROLES = ("selection", "heldout")
"""What labelled frames serve: epoch and smoothing are chosen on `selection`, figures are reported on `heldout`."""

_ROWS_TOGETHER = 8192
"""Rows of a row group, which are read together: about one long video's, so that one can be read alone."""


def write_logits(
    logits: dict[str, np.ndarray], path: Path, provenance: dict, frames: dict[str, np.ndarray] | None = None
) -> None:
    """Write track, frame (1-based), logits float32[C]; `frames` adds time_s, FRAME_COLUMNS and ROLES, each [N].

    Raises InputError for logits that are not finite.
    """
    for track, array in logits.items():
        if not np.isfinite(array).all():
            raise InputError(
                f"{path} would hold logits of {track} that are not finite",
                "check the weights of the fusion model, or delete it and train it again with a lower "
                "fusion.training.lr",
            )
    values = np.concatenate([np.zeros((0, NUM_CLASSES), np.float32), *logits.values()])
    numbers = [np.zeros(0), *(np.arange(1, len(array) + 1) for array in logits.values())]
    columns = {
        "track": pa.array([track for track, array in logits.items() for _ in array], pa.string()),
        "frame": pa.array(np.concatenate(numbers), pa.int32()),
        "logits": pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), NUM_CLASSES),
    }
    added = {"time_s": pa.float64(), **FRAME_COLUMNS, **dict.fromkeys(ROLES, pa.bool_())}
    for name, kind in added.items() if frames is not None else ():
        columns[name] = pa.array(frames[name], kind)
    table = pa.table(columns)
    with parquet_writer(path, table.schema, provenance) as writer:
        writer.write_table(table.replace_schema_metadata(writer.schema.metadata), _ROWS_TOGETHER)


def read_logits(path: Path, tracks: list[str] | None = None) -> dict[str, np.ndarray]:
    """Logits [T, C] float32 by track, in file order; of some tracks alone, the others being left unread."""
    filters = None if tracks is None else [("track", "in", tracks)]
    return _by_track(read_parquet(path, columns=["track", "logits"], filters=filters))


def read_labelled_logits(path: Path, role: str) -> LabelledLogits:
    """The tracks that serve one of ROLES, in file order."""
    table = read_parquet(path)
    table = table.filter(table[role])
    time_s = table["time_s"].to_numpy()
    return LabelledLogits(
        _by_track(table),
        {track: time_s[rows] for track, rows in track_rows(table["track"])},
        *(table[name].to_numpy() for name in FRAME_COLUMNS),
    )


def join_labelled(parts: Iterable[LabelledLogits]) -> LabelledLogits:
    """Labelled logits of different tracks as one."""
    parts = list(parts)
    return LabelledLogits(
        {track: array for part in parts for track, array in part.logits.items()},
        {track: array for part in parts for track, array in part.time_s.items()},
        labels=np.concatenate([part.labels for part in parts]),
        detected=np.concatenate([part.detected for part in parts]),
        padded_share=np.concatenate([part.padded_share for part in parts]),
    )


def _by_track(table: pa.Table) -> dict[str, np.ndarray]:
    values = table["logits"].combine_chunks().flatten().to_numpy().reshape(-1, NUM_CLASSES)
    return {track: values[rows] for track, rows in track_rows(table["track"])}


def mean_logits(paths: Iterable[Path], tracks: list[str] | None = None) -> dict[str, np.ndarray]:
    """Logits [T, C] float64 by track, averaged over several files of the same frames.

    tracks: those to read, as in `read_logits`. Raises InputError when the files hold different tracks or numbers of
    frames.
    """
    total: dict[str, np.ndarray] = {}
    paths = list(paths)
    for path in paths:
        logits = read_logits(path, tracks)
        lengths = {track: len(array) for track, array in logits.items()}
        if total and lengths != {track: len(array) for track, array in total.items()}:
            raise InputError(f"{path} and {paths[0]} hold different frames", "delete both and run the workflow again")
        for track, array in logits.items():
            total[track] = total.get(track, 0.0) + array.astype(np.float64) / len(paths)
    return total
