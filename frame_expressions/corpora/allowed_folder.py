"""Whether a file that a list names lies where the list may lead. Light on purpose: read with the Snakefile."""

import os
from pathlib import Path


class AllowedFolder:
    """A folder that a table or list may name files of, links followed: one that points out of it leads elsewhere.

    Folders are resolved once each, since lists name hundreds of thousands of files in a few of them.
    """

    def __init__(self, folder: Path):
        self._root = os.path.realpath(folder)
        self._resolved: dict[str, str] = {}

    def contains(self, path: Path) -> bool:
        """Whether the file, there or not, lies below the folder."""
        folder, name = str(path.parent), path.name
        if name in ("", "..") or path.is_symlink():
            return self._is_below(os.path.realpath(path))
        if folder not in self._resolved:
            self._resolved[folder] = os.path.realpath(folder)
        return self._is_below(f"{self._resolved[folder]}/{name}")

    def _is_below(self, real: str) -> bool:
        return real.startswith(self._root.rstrip("/") + "/")
