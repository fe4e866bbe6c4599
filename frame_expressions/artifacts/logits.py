"""Logits of whole tracks in Parquet files.

Shapes: T frames of a track, N of all tracks, C classes.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from frame_expressions.artifacts.parquet import parquet_writer, read_parquet, track_rows
from frame_expressions.artifacts.schemas import LABELLED_LOGITS, LOGITS
from frame_expressions.artifacts.vocabulary import NUM_CLASSES
from frame_expressions.runtime.errors import InputError


@dataclass(frozen=True)
class LabelledLogits:
    """Three arrays by track, and three over the frames of all tracks in order.

    logits: [T, C] float32. time_s: [T] float64. imputed: bool [T], whether features or logits come from another frame.
    labels: int8 [N], -1 unlabelled. detected: bool [N], false where the face box is interpolated or absent.
    padded_share: float32 [N], the share of the frame's crops outside the frame. complete: bool [N], whether the model
    received both face and audio.
    """

    logits: dict[str, np.ndarray]
    time_s: dict[str, np.ndarray]
    imputed: dict[str, np.ndarray]
    labels: np.ndarray
    detected: np.ndarray
    padded_share: np.ndarray
    complete: np.ndarray


_ROWS_PER_GROUP = 8192
"""Rows of a row group, which are read together: about as many as one long video has, so one video is read alone."""


def write_logits(logits: dict[str, np.ndarray], path: Path, provenance: dict, frames: dict[str, np.ndarray]) -> None:
    """Write logits by track, with the other columns [N] of `LOGITS` or of `LABELLED_LOGITS`.

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
        "track": [track for track, array in logits.items() for _ in array],
        "frame": np.concatenate(numbers),
        "logits": pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), NUM_CLASSES),
        **frames,
    }
    table = pa.table(columns, LABELLED_LOGITS if "label" in frames else LOGITS)
    with parquet_writer(path, table.schema, provenance) as writer:
        writer.write_table(table.replace_schema_metadata(writer.schema.metadata), _ROWS_PER_GROUP)


def read_logits(path: Path, tracks: list[str] | None = None) -> dict[str, np.ndarray]:
    """Logits [T, C] float32 by track, in file order; if `tracks` are given, no others are read."""
    filters = None if tracks is None else [("track", "in", tracks)]
    return _by_track(read_parquet(path, columns=["track", "logits"], filters=filters))


def read_presence(path: Path, tracks: list[str]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """By track, the frames that show the face and those with audio, bool [T] each."""
    names = ["face_present", "audio_present"]
    table = read_parquet(path, columns=["track", *names], filters=[("track", "in", tracks)])
    face, audio = (table[name].to_numpy() for name in names)
    return {track: (face[rows], audio[rows]) for track, rows in track_rows(table["track"])}


def read_imputed(path: Path) -> dict[str, np.ndarray]:
    """By track, the frames whose features or logits come from another frame, bool [T]."""
    return _split(read_parquet(path, columns=["track", "imputed"]), "imputed")


def read_labelled_logits(path: Path, role: str) -> LabelledLogits:
    """The tracks of one of ROLES, in file order."""
    table = read_parquet(path)
    table = table.filter(table[role])
    return LabelledLogits(
        _by_track(table),
        _split(table, "time_s"),
        _split(table, "imputed"),
        labels=table["label"].to_numpy(),
        detected=table["detected"].to_numpy(),
        padded_share=table["padded_share"].to_numpy(),
        complete=table["face_present"].to_numpy() & table["audio_present"].to_numpy(),
    )


def join_labelled(parts: Iterable[LabelledLogits]) -> LabelledLogits:
    """Join the labelled logits of different tracks."""
    parts = list(parts)
    return LabelledLogits(
        {track: array for part in parts for track, array in part.logits.items()},
        {track: array for part in parts for track, array in part.time_s.items()},
        {track: array for part in parts for track, array in part.imputed.items()},
        labels=np.concatenate([part.labels for part in parts]),
        detected=np.concatenate([part.detected for part in parts]),
        padded_share=np.concatenate([part.padded_share for part in parts]),
        complete=np.concatenate([part.complete for part in parts]),
    )


def _by_track(table: pa.Table) -> dict[str, np.ndarray]:
    values = table["logits"].combine_chunks().flatten().to_numpy().reshape(-1, NUM_CLASSES)
    return {track: values[rows] for track, rows in track_rows(table["track"])}


def _split(table: pa.Table, column: str) -> dict[str, np.ndarray]:
    values = table[column].to_numpy()
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
