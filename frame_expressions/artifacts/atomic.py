"""Atomic writes: a file or folder appears complete or not at all.

Imported whenever the Snakefile is parsed, so it must import only the standard library.
"""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary name next to `path`; flush and rename it to `path` only if the block succeeds.

    Temporary files that a killed process left are removed first.
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
def atomic_write_folder(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder inside `folder`; flush and move its files into `folder` only if the block succeeds.

    Temporary files that a killed process left are removed first.
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
    """A name next to `path` for this process only, so a process that outlives a killed run cannot write into it."""
    left_behind = re.compile(rf"\.{re.escape(path.name)}\.\d+\.partial")
    for other in path.parent.iterdir():
        if left_behind.fullmatch(other.name):
            if other.is_dir():
                shutil.rmtree(other)
            else:
                other.unlink(missing_ok=True)
    return path.with_name(f".{path.name}.{os.getpid()}.partial")


def _publish(temporary: Path, path: Path) -> None:
    """Flush a finished file to disk, give it the usual permissions, rename it to `path` and flush the folder."""
    flush(temporary)
    temporary.chmod(0o666 & ~_umask())  # some writers create private files, but groups share results
    temporary.replace(path)
    with suppress(OSError):  # some network file systems cannot flush folders
        flush(path.parent)


def flush(path: Path) -> None:
    """Wait until a finished file's content, or a folder's names, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    """The process's mask for new files, which can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
