"""Artifacts on disk: written whole or not at all, and saying what made them.

Every Parquet file carries a `made_by` entry in its schema metadata: the settings that shaped it and the
SHA-256 of each input, by file name. No path, time or host goes in, so two runs give the same bytes.
"""

import hashlib
import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from workflow_scripts.lib.runtime.errors import InputError

MADE_BY = b"made_by"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`; flush and rename it onto `path` only when the block succeeds.

    What a killed process left of an earlier try is removed first.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary(path)
    try:
        yield temporary
        _publish(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def filling(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder inside `folder`; flush and rename its files into `folder` only when the block succeeds.

    What a killed process left of an earlier try is removed first.
    """
    folder.mkdir(parents=True, exist_ok=True)
    temporary = _temporary(folder / "files")
    temporary.mkdir()
    try:
        yield temporary
        for path in sorted(temporary.iterdir()):
            _publish(path, folder / path.name)
    finally:
        shutil.rmtree(temporary)


def _temporary(path: Path) -> Path:
    """A name beside `path` for this process alone, so that one that outlives a killed run cannot write into it."""
    left_behind = re.compile(rf"\.{re.escape(path.name)}\.\d+\.partial")
    for other in path.parent.iterdir():
        if left_behind.fullmatch(other.name):
            if other.is_dir():
                shutil.rmtree(other)
            else:
                other.unlink(missing_ok=True)
    return path.with_name(f".{path.name}.{os.getpid()}.partial")


def _publish(temporary: Path, path: Path) -> None:
    """Flush a finished file to disk, give it a new file's usual permissions, rename it onto `path` and flush that."""
    flush(temporary)
    temporary.chmod(0o666 & ~_umask())  # some writers make their files private, but groups share results
    temporary.replace(path)
    with suppress(OSError):  # some network file systems flush no folders
        flush(path.parent)


def flush(path: Path) -> None:
    """Wait until the disk holds a finished file's content, or a folder's names."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    """The process's mask for new files; it can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def sha256_of(path: Path) -> str:
    """Hex SHA-256 of a file's content."""
    with Path(path).open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def made_by(settings: dict, inputs: Iterable[Path] = ()) -> dict:
    """The provenance entry: JSON-ready `settings`, and the content hash of each input file by its name.

    Files of one name in several folders are told apart by their folder's name.
    """
    paths = [Path(path) for path in inputs]
    times = Counter(path.name for path in paths)
    names = [path.name if times[path.name] == 1 else f"{path.parent.name}/{path.name}" for path in paths]
    return {"settings": settings, "inputs": dict(zip(names, map(sha256_of, paths), strict=True))}


@contextmanager
def parquet_writer(path: Path, schema: pa.Schema, provenance: dict) -> Iterator[pq.ParquetWriter]:
    """Stream row groups into `path`; `provenance` is what `made_by` returned."""
    stamped = schema.with_metadata({MADE_BY: json.dumps(provenance, sort_keys=True).encode()})
    with replacing(path) as temporary, pq.ParquetWriter(temporary, stamped, compression="zstd") as writer:
        yield writer


def write_parquet(table: pa.Table, path: Path, provenance: dict) -> None:
    """Write one table with its provenance; the row order is kept."""
    with parquet_writer(path, table.schema, provenance) as writer:
        writer.write_table(table.replace_schema_metadata(writer.schema.metadata))


def read_parquet(path: Path, columns: list[str] | None = None, filters: list[tuple] | None = None) -> pa.Table:
    """Read a table; a file that is cut off or no Parquet raises InputError with the remedy.

    filters: as pyarrow takes them; row groups without such rows are left unread.
    """
    try:
        return pq.read_table(path, columns=columns, filters=filters)
    except (pa.ArrowInvalid, OSError) as error:
        raise unreadable(path, "Parquet", error) from error


def parquet_batches(path: Path, num_rows: int, columns: list[str]) -> Iterator[pa.RecordBatch]:
    """Read a table `num_rows` at a time, so that memory does not grow with it; raises as `read_parquet` does."""
    try:
        with pq.ParquetFile(path, pre_buffer=False) as stored:  # else it keeps all that it has read
            yield from stored.iter_batches(num_rows, columns=columns)
    except (pa.ArrowInvalid, OSError) as error:
        raise unreadable(path, "Parquet", error) from error


def unreadable(path: Path, what: str, error: Exception | str) -> InputError:
    """What to raise for an artifact that is cut off or not `what`, a format, as `error` says in its first line."""
    reason = str(error).partition("\n")[0].rstrip(".")
    return InputError(
        f"{path} cannot be read as {what} ({reason}); delete it and run the workflow again to rebuild it."
    )


def track_rows(track: pa.ChunkedArray) -> Iterator[tuple[str, slice]]:
    """Each track of a column that holds every track's rows together, and where they are."""
    runs = pc.run_end_encode(track.combine_chunks())
    start = 0
    for name, end in zip(runs.values.to_pylist(), runs.run_ends.to_pylist(), strict=True):
        yield name, slice(start, end)
        start = end


def read_made_by(path: Path) -> dict:
    """The provenance entry of a Parquet file."""
    try:
        metadata = pq.read_schema(path).metadata or {}
    except (pa.ArrowInvalid, OSError) as error:
        raise unreadable(path, "Parquet", error) from error
    if MADE_BY not in metadata:
        raise InputError(f"{path} does not say what made it; delete it and run the workflow again.")
    return json.loads(metadata[MADE_BY])


def write_text(text: str, path: Path) -> None:
    """Write UTF-8 text with the line ends as given."""
    with replacing(path) as temporary:
        temporary.write_bytes(text.encode())


def write_json(content: dict, path: Path) -> None:
    """Write JSON that a person can read and a diff can follow."""
    write_text(json.dumps(content, indent=2, sort_keys=True, allow_nan=False) + "\n", path)


def read_json(path: Path) -> dict:
    """Read what `write_json` wrote; a file that is cut off or no JSON raises InputError with the remedy."""
    try:
        return json.loads(Path(path).read_text())
    except ValueError as error:
        raise unreadable(path, "JSON", error) from error
