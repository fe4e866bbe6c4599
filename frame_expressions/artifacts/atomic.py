"""Files and folders written whole or not at all.

Light on purpose, since every reading of the Snakefile imports it.
"""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
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
def atomic_write_folder(folder: Path) -> Iterator[Path]:
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
