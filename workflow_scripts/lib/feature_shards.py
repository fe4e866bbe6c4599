"""Feature shards: one float16 NPY matrix and one Parquet index per group of tracks.

Shapes: N rows of a shard, T frames of a track, D features.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa

from workflow_scripts.lib.artifacts import read_parquet, replacing, track_rows, write_parquet
from workflow_scripts.lib.errors import InputError


def write_shard(
    npy: Path, index: Path, features: np.ndarray, columns: dict[str, pa.Array | np.ndarray], provenance: dict
) -> None:
    """Write features [N, D] as float16, and the index: `columns` plus the row number.

    Raises InputError when a feature is not finite or does not fit into float16.
    """
    with np.errstate(over="ignore"):  # an overflow is refused below
        half = features.astype(np.float16)
    if not np.isfinite(half).all():
        raise InputError(
            f"{npy} would hold features that are not finite; check the encoder's weights (and its precision)."
        )
    with replacing(npy) as temporary, temporary.open("wb") as handle:
        np.save(handle, half)
    table = pa.table({**columns, "row": np.arange(len(half), dtype=np.int32)})
    write_parquet(table, index, provenance)


class FeatureShards:
    """Features of one modality by track, mapped from disk."""

    def __init__(self, shards: Iterable[tuple[Path, Path]], columns: Iterable[str] = ()):
        """Open (npy, index) pairs, and further `columns` of the index; InputError where a pair does not fit."""
        self._tracks: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self._columns: dict[str, dict[str, np.ndarray]] = {name: {} for name in columns}
        self.num_features = 0
        for npy, index in shards:
            self._add(npy, index)

    def _add(self, npy: Path, index: Path) -> None:
        features = np.load(npy, mmap_mode="r")
        table = read_parquet(index, columns=["track", "row", "present", *self._columns])
        if len(features) != len(table):
            raise InputError(f"{npy} has {len(features)} rows but {index} has {len(table)}; delete both and run again.")
        self.num_features = features.shape[1]
        present = table["present"].to_numpy()
        for track, rows in track_rows(table["track"]):
            self._tracks[track] = features[rows], present[rows]
            for name, values in self._columns.items():
                values[track] = table[name][rows].to_numpy()

    def __getitem__(self, track: str) -> tuple[np.ndarray, np.ndarray]:
        """Features [T, D] float16 and presence [T] bool of a track, frame 1 first; empty for a skipped video."""
        if track not in self._tracks:
            return np.zeros((0, self.num_features), np.float16), np.zeros(0, bool)
        return self._tracks[track]

    def column(self, name: str, tracks: Iterable[str]) -> np.ndarray:
        """A further column [N] of several tracks, one after the other."""
        parts = [values for track in tracks if (values := self._columns[name].get(track)) is not None]
        return np.concatenate(parts) if parts else np.zeros(0)

    def stacked(self, tracks: Iterable[str]) -> tuple[np.ndarray, np.ndarray]:
        """Features [N, D] and presence [N] of several tracks, one after the other."""
        parts = [(np.zeros((0, self.num_features), np.float16), np.zeros(0, bool)), *map(self.__getitem__, tracks)]
        return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])
