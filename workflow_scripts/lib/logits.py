"""Logits of whole tracks, kept as Parquet.

Shapes: T frames of a track, N of all tracks, C classes.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa

from workflow_scripts.lib.artifacts import read_parquet, track_rows, write_parquet
from workflow_scripts.lib.challenge.expressions import NUM_CLASSES
from workflow_scripts.lib.errors import InputError


def write_logits(
    logits: dict[str, np.ndarray], path: Path, provenance: dict, expression: np.ndarray | None = None
) -> None:
    """Write track, frame (1-based), logits float32[C], and the classes [N] int8 where they are known."""
    values = np.concatenate([np.zeros((0, NUM_CLASSES), np.float32), *logits.values()])
    frames = [np.zeros(0), *(np.arange(1, len(array) + 1) for array in logits.values())]
    columns = {
        "track": pa.array([track for track, array in logits.items() for _ in array], pa.string()),
        "frame": pa.array(np.concatenate(frames), pa.int32()),
        "logits": pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), NUM_CLASSES),
    }
    if expression is not None:
        columns["expression"] = pa.array(expression, pa.int8())
    write_parquet(pa.table(columns), path, provenance)


def read_logits(path: Path) -> tuple[dict[str, np.ndarray], np.ndarray | None]:
    """Logits [T, C] float32 by track, in file order, and all rows' classes [N] int8 where known."""
    table = read_parquet(path)
    values = table["logits"].combine_chunks().flatten().to_numpy().reshape(-1, NUM_CLASSES)
    logits = {track: values[rows] for track, rows in track_rows(table["track"])}
    known = "expression" in table.column_names
    return logits, table["expression"].to_numpy() if known else None


def mean_logits(paths: Iterable[Path]) -> dict[str, np.ndarray]:
    """Logits [T, C] float64 by track, averaged over several files of the same frames.

    Raises InputError when the files hold different tracks or numbers of frames.
    """
    total: dict[str, np.ndarray] = {}
    paths = list(paths)
    for path in paths:
        logits, _ = read_logits(path)
        lengths = {track: len(array) for track, array in logits.items()}
        if total and lengths != {track: len(array) for track, array in total.items()}:
            raise InputError(f"{path} and {paths[0]} hold different frames; delete both and run the workflow again.")
        for track, array in logits.items():
            total[track] = total.get(track, 0.0) + array.astype(np.float64) / len(paths)
    return total
