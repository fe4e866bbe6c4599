"""Parquet written as its rows come, so that memory does not grow with the length of a video."""

from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import pyarrow as pa

from workflow_scripts.lib.artifacts import parquet_writer


def write_rows(rows: Iterable[dict], path: Path, schema: pa.Schema, provenance: dict, group_rows: int = 512) -> None:
    """Write an iterable of rows in groups of `group_rows`."""
    rows = iter(rows)
    with parquet_writer(path, schema, provenance) as writer:
        while group := list(islice(rows, group_rows)):
            writer.write_table(pa.Table.from_pylist(group, schema=schema))
