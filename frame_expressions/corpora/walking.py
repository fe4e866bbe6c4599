"""Listing of folders with links to other disks, trash and shadow files.

Imported whenever the Snakefile is parsed, so it must not import pyarrow, pandas or torch.
"""

import os
from collections.abc import Callable
from pathlib import Path


def files_below(root: Path, passed_over: Callable[[Path], bool] = lambda folder: False) -> list[Path]:
    """Files below `root` at any depth, relative to it, sorted; without hidden ones and those in folders passed over.

    Hidden are names that begin with a dot, and `__MACOSX`, where archives packed on a Mac hold shadow files.
    """
    root = Path(root)
    files, visited = [], set()
    # Links are followed; `visited` keeps a link to a parent from being walked for ever.
    for folder, subfolders, names in os.walk(root, followlinks=True):
        folder = Path(folder)
        real = folder.resolve()
        if real in visited:
            subfolders.clear()
            continue
        visited.add(real)
        subfolders[:] = sorted(name for name in subfolders if not (_is_hidden(name) or passed_over(folder / name)))
        files += [(folder / name).relative_to(root) for name in names if not _is_hidden(name)]
    return sorted(files)


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"
