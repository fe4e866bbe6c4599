"""Text artifacts: JSON and tables of tab-separated values."""

import json
from pathlib import Path

from frame_expressions.artifacts.atomic import atomic_write
from frame_expressions.runtime.errors import unreadable


def write_text(text: str, path: Path) -> None:
    """Write UTF-8 text with the line ends as given."""
    with atomic_write(path) as temporary:
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
