"""Parquet files with a `provenance` entry in their schema metadata, see `artifacts.provenance`."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from frame_expressions.artifacts.atomic import atomic_write
from frame_expressions.artifacts.provenance import PROVENANCE
from frame_expressions.runtime.errors import InputError, unreadable


@contextmanager
def parquet_writer(
    path: Path, schema: pa.Schema, provenance: dict, metadata: dict[str, str] | None = None
) -> Iterator[pq.ParquetWriter]:
    """Stream row groups into `path`. provenance: from `provenance_of`. metadata: additional entries of the
    file's metadata, by key."""
    stamped = schema.with_metadata({PROVENANCE: json.dumps(provenance, sort_keys=True).encode(), **(metadata or {})})
    with atomic_write(path) as temporary, pq.ParquetWriter(temporary, stamped, compression="zstd") as writer:
        yield writer


def write_parquet(table: pa.Table, path: Path, provenance: dict, metadata: dict[str, str] | None = None) -> None:
    """Write one table with its provenance and further metadata; the row order is kept."""
    with parquet_writer(path, table.schema, provenance, metadata) as writer:
        writer.write_table(table.replace_schema_metadata(writer.schema.metadata))


def read_parquet(path: Path, columns: list[str] | None = None, filters: list[tuple] | None = None) -> pa.Table:
    """Read a table; raises InputError if the file is cut off or is not Parquet.

    filters: as in pyarrow; row groups without such rows are not read.
    """
    try:
        return pq.read_table(path, columns=columns, filters=filters)
    except (pa.ArrowInvalid, OSError) as error:
        raise unreadable(path, "Parquet", error) from error


def parquet_batches(path: Path, num_rows: int, columns: list[str]) -> Iterator[pa.RecordBatch]:
    """Read a table `num_rows` at a time, so memory does not grow with its size; raises as `read_parquet` does."""
    try:
        with pq.ParquetFile(path, pre_buffer=False) as stored:  # pre-buffering would keep everything read so far
            yield from stored.iter_batches(num_rows, columns=columns)
    except (pa.ArrowInvalid, OSError) as error:
        raise unreadable(path, "Parquet", error) from error


def track_rows(track: pa.ChunkedArray) -> Iterator[tuple[str, slice]]:
    """Each track of a column and the slice of its rows; the rows of a track must be consecutive."""
    runs = pc.run_end_encode(track.combine_chunks())
    start = 0
    for name, end in zip(runs.values.to_pylist(), runs.run_ends.to_pylist(), strict=True):
        yield name, slice(start, end)
        start = end


def read_provenance(path: Path) -> dict:
    """The provenance entry of a Parquet file."""
    return json.loads(read_metadata(path, PROVENANCE))


def read_metadata(path: Path, key: bytes) -> bytes:
    """One entry of a Parquet file's metadata; raises InputError if there is none."""
    try:
        metadata = pq.read_metadata(path).metadata or {}
    except (pa.ArrowInvalid, OSError) as error:
        raise unreadable(path, "Parquet", error) from error
    if key not in metadata:
        raise InputError(f"{path} has no {key.decode()} entry", "delete it and run the workflow again")
    return metadata[key]


def write_rows(
    rows: Iterable[dict],
    path: Path,
    schema: pa.Schema,
    provenance: dict,
    group_rows: int = 512,
    late_metadata: Mapping[str, str] | None = None,
) -> None:
    """Write an iterable of rows in groups of `group_rows`.

    late_metadata: further entries for `read_metadata`, written after the last row: making the rows may fill them in.
    """
    rows = iter(rows)
    with parquet_writer(path, schema, provenance) as writer:
        while group := list(islice(rows, group_rows)):
            writer.write_table(pa.Table.from_pylist(group, schema=schema))
        if late_metadata:
            writer.add_key_value_metadata(late_metadata)
