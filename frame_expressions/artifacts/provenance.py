"""Provenance: the settings and inputs that made an artifact, kept in the artifact itself.

It records no path, time or host, so two runs write the same bytes.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

PROVENANCE = b"provenance"


def sha256_of(path: Path) -> str:
    """Hex SHA-256 of a file's content."""
    with Path(path).open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def provenance_of(settings: dict, inputs: Iterable[Path] = ()) -> dict:
    """The provenance entry: JSON-ready `settings`, and the content hash of each input file by its name.

    If files in different folders share a name, the folder's name is added.
    """
    paths = [Path(path) for path in inputs]
    times = Counter(path.name for path in paths)
    names = [path.name if times[path.name] == 1 else f"{path.parent.name}/{path.name}" for path in paths]
    return {"settings": settings, "inputs": dict(zip(names, map(sha256_of, paths), strict=True))}
