"""Whether a file that a list names is inside the folder to which the list is confined.

Imported whenever the Snakefile is parsed, so it must not import pyarrow, pandas or torch.
"""

import os
from pathlib import Path


class AllowedFolder:
    """A folder to which a table or list is confined; links are followed, so a link that points out of it is outside.

    Each folder is resolved once, since a list names hundreds of thousands of files in a few folders.
    """

    def __init__(self, folder: Path):
        self._root = os.path.realpath(folder)
        self._resolved: dict[str, str] = {}

    def contains(self, path: Path) -> bool:
        """Whether the file, existing or not, is below the folder."""
        folder, name = str(path.parent), path.name
        if name in ("", "..") or path.is_symlink():
            return self._is_below(os.path.realpath(path))
        if folder not in self._resolved:
            self._resolved[folder] = os.path.realpath(folder)
        return self._is_below(f"{self._resolved[folder]}/{name}")

    def _is_below(self, real: str) -> bool:
        return real.startswith(self._root.rstrip("/") + "/")
