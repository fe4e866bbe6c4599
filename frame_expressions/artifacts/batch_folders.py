"""Reads the folders of batches, which hold one file per video or track."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from frame_expressions.runtime.errors import InputError


def files_of(folders: Sequence[Path | str], names: Iterable[str]) -> list[Path]:
    """The files with these names (without suffix) in the folders of some batches, in the order of `names`.

    Raises InputError if one is missing.
    """
    found = {path.stem: path for folder in folders for path in Path(folder).iterdir() if path.name[0] != "."}
    names = list(names)
    if gone := [name for name in names if name not in found]:
        raise InputError(
            f"{gone[0]} is in none of the folders {', '.join(map(str, folders))}",
            "delete the folder that should hold it and run the workflow again",
        )
    return [found[name] for name in names]
