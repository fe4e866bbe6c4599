"""results/survival.json: a section for each tool of this package, the others' left as they are."""

import json
from pathlib import Path

from frame_expressions.artifacts.text import write_json


def record(section: str, content: dict, path: Path) -> None:
    """Write one section of the file at `path`."""
    sections = json.loads(path.read_text()) if path.exists() else {}
    write_json(sections | {section: content}, path)
