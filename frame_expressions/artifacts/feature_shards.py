"""Feature shards: one float16 NPY matrix and one Parquet index per group of tracks.

Shapes: N rows of a shard, T frames of a track, D features.
"""

from collections.abc import Iterable
from itertools import groupby, pairwise
from operator import itemgetter
from pathlib import Path

import numpy as np
import pyarrow as pa

from frame_expressions.artifacts.atomic import atomic_write
from frame_expressions.artifacts.parquet import read_parquet, track_rows, write_parquet
from frame_expressions.runtime.errors import InputError, unreadable


def write_shard(
    npy: Path,
    index: Path,
    features: np.ndarray,
    schema: pa.Schema,
    columns: dict[str, pa.Array | np.ndarray],
    provenance: dict,
) -> None:
    """Write features [N, D] as float16, and the index: `columns` plus the row number.

    schema: of the index, VISUAL_INDEX or AUDIO_INDEX. Raises InputError if a feature is not finite in float16.
    """
    half = as_float16(features, f"The features for {npy}")
    with atomic_write(npy) as temporary, temporary.open("wb") as handle:
        np.save(handle, half)
    table = pa.table({**columns, "row": np.arange(len(half), dtype=np.int32)}, schema)
    write_parquet(table, index, provenance)


def as_float16(features: np.ndarray, what: str) -> np.ndarray:
    """Features in the precision of a shard. Raises InputError, which names `what`, if one is not finite in float16."""
    with np.errstate(over="ignore"):  # an overflow is refused below
        half = features.astype(np.float16)
    if not np.isfinite(half).all():
        raise InputError(f"{what} are not finite in float16", "check the weights and the precision of the encoder")
    return half


class FeatureRows:
    """Concatenated features [N, D] float16 of some tracks, on disk; `rows[numbers]` reads some rows.

    Files are read, not mapped, since mapped pages count as memory of the process while they are resident.
    """

    def __init__(self, num_features: int, parts: Iterable[tuple[Path, int, int]]):
        """parts: for each run of rows in one file its path, its first byte and its number of rows."""
        parts = list(parts)
        self._paths = [path for path, _, _ in parts]
        self._places = [place for _, place, _ in parts]
        self._ends = np.cumsum([0, *(count for _, _, count in parts)])
        self.shape = int(self._ends[-1]), num_features

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, numbers: slice | np.ndarray) -> np.ndarray:
        """Features [M, D] float16 of a slice or of row numbers [M]."""
        rows = np.arange(*numbers.indices(len(self))) if isinstance(numbers, slice) else numbers
        return self.take(rows, axis=0, out=np.empty((len(rows), self.shape[1]), np.float16))

    def take(self, rows: np.ndarray, *, axis: int, out: np.ndarray) -> np.ndarray:
        """Fill `out` [M, D] float16 with rows [M]; equals `numpy.take(..., axis=0)` of the features in memory.

        Consecutive rows are read together. Raises InputError if a file has become too short.
        """
        part = np.searchsorted(self._ends, rows, side="right") - 1
        starts = np.flatnonzero((np.diff(rows, prepend=-2) != 1) | (np.diff(part, prepend=-1) != 0))
        runs = zip(part[starts].tolist(), pairwise([*starts.tolist(), len(rows)]), strict=True)
        for number, runs_in_part in groupby(runs, itemgetter(0)):
            with self._paths[number].open("rb") as handle:
                for _, (start, end) in runs_in_part:
                    row = int(rows[start] - self._ends[number])
                    handle.seek(self._places[number] + row * out.strides[0])
                    if handle.readinto(out[start:end]) != out[start:end].nbytes:
                        raise InputError(f"{self._paths[number]} is cut off", "delete it and run the workflow again")
        return out


class FeatureShards:
    """Features of one modality by track; the indices are in memory, the features stay on disk."""

    def __init__(self, shards: Iterable[tuple[Path, Path]], columns: Iterable[str] = ()):
        """Open (npy, index) pairs, and more `columns` of the index; raises InputError if a pair does not match."""
        self._places: dict[str, tuple[Path, int, int]] = {}
        self._present: dict[str, np.ndarray] = {}
        self._columns: dict[str, dict[str, np.ndarray]] = {name: {} for name in columns}
        self.num_features = 0
        for npy, index in shards:
            self._add(npy, index)

    def _add(self, npy: Path, index: Path) -> None:
        try:
            features = np.lib.format.open_memmap(npy, mode="r")
        except ValueError as error:
            raise unreadable(npy, "NPY", error) from error
        if features.dtype != np.float16 or features.ndim != 2 or not features.flags.c_contiguous:
            raise InputError(
                f"{npy} holds {features.dtype} {list(features.shape)} instead of float16 rows",
                "delete it and run the workflow again",
            )
        table = read_parquet(index, columns=["track", "row", "present", *self._columns])
        if len(features) != len(table):
            raise InputError(
                f"{npy} has {len(features)} rows but {index} has {len(table)}", "delete both and run the workflow again"
            )
        if self._places and features.shape[1] != self.num_features:
            raise InputError(
                f"{npy} has {features.shape[1]} features per row but the shards before it have {self.num_features}",
                "delete all of them and run the workflow again",
            )
        self.num_features = features.shape[1]
        present = table["present"].to_numpy()
        for track, rows in track_rows(table["track"]):
            place = features.offset + rows.start * features.strides[0]
            self._places[track] = npy, place, rows.stop - rows.start
            self._present[track] = present[rows]
            for name, values in self._columns.items():
                values[track] = table[name][rows].to_numpy()

    def __getitem__(self, track: str) -> tuple[FeatureRows, np.ndarray]:
        """Features [T, D] on disk and presence [T] bool of a track, frame 1 first; empty for a skipped video."""
        return self.stacked([track])

    def column(self, name: str, tracks: Iterable[str]) -> np.ndarray:
        """A column [N] of several tracks, concatenated."""
        parts = [values for track in tracks if (values := self._columns[name].get(track)) is not None]
        return np.concatenate(parts) if parts else np.zeros(0)

    def stacked(self, tracks: Iterable[str]) -> tuple[FeatureRows, np.ndarray]:
        """Features [N, D] on disk and presence [N] bool of several tracks, concatenated."""
        known = [track for track in tracks if track in self._places]
        features = FeatureRows(self.num_features, [self._places[track] for track in known])
        return features, np.concatenate([np.zeros(0, bool), *(self._present[track] for track in known)])
