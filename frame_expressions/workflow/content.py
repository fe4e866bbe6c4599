"""What a file or a folder holds, as a short digest that is fast to take.

Imported whenever the Snakefile is parsed, so it must not import pyarrow, pandas or torch.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

WHOLE_BYTES = 1 << 20
"""Files up to this size are read completely."""

BLOCK_BYTES, NUM_BLOCKS = 1 << 16, 4
"""Of a larger file, these blocks at even distances are read, the first and the last byte among them."""

FILES_OF_FOLDER = 256
"""Of a folder with more files, the names and sizes of all count, and the content of as many at even distances."""

NUM_THREADS = 16  # waiting for a disk or a network, not computing


def digests_of(paths: Iterable[str | Path]) -> list[str]:
    """A digest of the content of each file or folder; its name and times do not count.

    Empty for one that does not exist or cannot be read. An edit inside a large file that keeps its size may be missed;
    a job that reads the file compares the complete hash (media/timeline.py).
    """
    with ThreadPoolExecutor(NUM_THREADS) as pool:
        return list(pool.map(_digest, map(Path, paths)))


def _digest(path: Path) -> str:
    try:
        if path.is_dir():
            return _digest_of_folder(path)
        return _digest_of_file(path) if path.is_file() else ""  # a pipe would never end
    except OSError:
        return ""


def _digest_of_file(path: Path) -> str:
    digest = hashlib.blake2b(digest_size=16)
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        digest.update(f"{size} ".encode())
        if size <= WHOLE_BYTES:
            digest.update(file.read())
        else:
            for block in range(NUM_BLOCKS):
                file.seek(block * (size - BLOCK_BYTES) // (NUM_BLOCKS - 1))
                digest.update(file.read(BLOCK_BYTES))
    return digest.hexdigest()


def _digest_of_folder(folder: Path) -> str:
    digest = hashlib.blake2b(digest_size=16)
    files = sorted((name, found.st_size) for name, found in _files_in(folder))
    for name, size in files:
        digest.update(os.fsencode(f"{name}\0{size}\0"))
    for name, _ in files[:: max(1, -(-len(files) // FILES_OF_FOLDER))]:
        digest.update(_digest(folder / name).encode())
    return digest.hexdigest()


def digest_of_times(folder: Path) -> str:
    """A digest of the names, sizes and modification times of a folder's files."""
    digest = hashlib.blake2b(digest_size=16)
    for name, found in sorted((name, (found.st_size, found.st_mtime_ns)) for name, found in _files_in(folder)):
        digest.update(os.fsencode(f"{name}\0{found}\0"))
    return digest.hexdigest()


def _files_in(folder: Path, prefix: str = "") -> Iterator[tuple[str, os.stat_result]]:
    """Every file below a folder by its name, without hidden ones, which Snakemake and file browsers write.

    Links to folders are not followed: they may lead back.
    """
    with os.scandir(folder / prefix) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from _files_in(folder, f"{prefix}{entry.name}/")
            elif entry.is_file():
                yield prefix + entry.name, entry.stat()
