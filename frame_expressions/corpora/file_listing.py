"""The files of a folder with links to other disks, trash and shadow files.

Imported whenever the Snakefile is parsed, so it must not import pyarrow, pandas or torch.
"""

import os
from collections.abc import Callable
from pathlib import Path


def files_below(root: Path, skips: Callable[[Path], bool] = lambda folder: False) -> list[Path]:
    """Files below `root` at any depth, relative to it, sorted.

    Hidden files and folders are left out, and so are folders for which `skips` is true. Hidden are names that begin
    with a dot, and `__MACOSX`, the folder of shadow files in archives packed on a Mac.
    """
    root = Path(root)
    files, visited = [], set()
    # Links are followed; `visited` stops the endless walk of a link to a parent.
    for folder, subfolders, names in os.walk(root, followlinks=True):
        folder = Path(folder)
        real = folder.resolve()
        if real in visited:
            subfolders.clear()
            continue
        visited.add(real)
        subfolders[:] = sorted(name for name in subfolders if not (_is_hidden(name) or skips(folder / name)))
        files += [(folder / name).relative_to(root) for name in names if not _is_hidden(name)]
    return sorted(files)


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"
