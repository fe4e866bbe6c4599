"""The organisers' template of the test set: the rows of a submission, in their order.

Rows read `<track>/<frame:05d>.jpg,` (5th edition) or `<track>/<frame:05d>.jpg,0` (6th to 10th); only the part
before the first comma counts. Editions 1 to 4 have one file `<track>.txt` per track, in the format of an annotation: a
folder of them is a template whose rows are their lines, with the tracks sorted by name. Frames are 1-based. Imported
whenever the Snakefile is parsed, so it must not import pyarrow, pandas or torch.
"""

import re
from collections import Counter
from pathlib import Path

from frame_expressions.artifacts.file_names import is_name
from frame_expressions.challenge.annotations import read_annotation
from frame_expressions.runtime.errors import InputError

_ROW = re.compile(
    r"^([A-Za-z0-9][A-Za-z0-9._-]*)/([0-9]{5}|[1-9][0-9]{5,8})\.jpg *(?:,.*)?$", re.MULTILINE
)  # a track's name becomes a file name, so it must not lead to another folder


def image_location(track: str, frame: int) -> str:
    """The challenge's name of a frame: `<track>/<frame:05d>.jpg`, frame 1-based."""
    return f"{track}/{frame:05d}.jpg"


def read_template(path: Path) -> list[tuple[str, int]]:
    """Ordered rows (track, frame) of a template, with or without its header line, or of a folder of track files.

    Raises InputError for a row of another format, a frame 0, or a duplicate row.
    """
    if Path(path).is_dir():
        num_rows = {file.stem: len(read_annotation(file)) for file in _track_files(path)}
        return [(track, frame) for track, count in num_rows.items() for frame in range(1, count + 1)]
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from error
    text = text.rstrip()
    lines = text.split("\n")
    first = 1 if _is_header(lines[0]) else 0
    found = _ROW.findall(text)
    if len(found) != len(lines) - first:
        _refuse_first_bad_line(path, lines, first)
    rows = [(track, int(frame)) for track, frame in found]
    if not rows:
        raise InputError(f"The template {path} has no rows", "give the path of the organisers' file")
    if len(set(rows)) < len(rows):
        row = next(row for row, count in Counter(rows).items() if count > 1)
        raise InputError(f"The template {path} lists {image_location(*row)} twice", "use the organisers' original file")
    zero = next((row for row in rows if row[1] == 0), None)
    if zero:
        raise InputError(
            f"The template {path} lists {image_location(*zero)}, but frames are counted from 1",
            "use the organisers' original file",
        )
    return rows


def template_tracks(path: Path) -> dict[str, int]:
    """Tracks of a template in their order, each with its number of rows.

    Only reads the tracks' names, or counts lines (0.2 s for a million rows); `read_template` checks every row.
    """
    if Path(path).is_dir():
        return {file.stem: file.read_bytes().rstrip().count(b"\n") for file in _track_files(path)}
    try:
        with Path(path).open(encoding="utf-8-sig") as handle:
            counts = Counter(line.split("/", 1)[0] for line in handle if not _is_header(line))
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from error
    if counts and all(map(is_name, counts)):
        return dict(counts)
    return dict(Counter(track for track, _ in read_template(path)))


def _is_header(line: str) -> bool:
    return line.startswith("image_location") and line.split(",", 1)[0].strip() == "image_location"


def _track_files(folder: Path) -> list[Path]:
    """The files of a template that is a folder, sorted by track, without the hidden files of a Mac."""
    shown = [file for file in Path(folder).glob("*.txt") if not file.name.startswith(".")]
    if not shown:
        raise InputError(
            f"The template {folder} is a folder without <track>.txt", "use the organisers' original file or folder"
        )
    for file in shown:
        if not is_name(file.stem):
            raise InputError(f"The template {folder} holds {file.name!r}, which cannot be a track's name", "remove it")
    return sorted(shown, key=lambda file: file.stem)


def _unreadable(path: Path, error: Exception) -> InputError:
    return InputError(f"The template {path} cannot be read ({error})", "give the path of the organisers' file")


def _refuse_first_bad_line(path: Path, lines: list[str], first: int) -> None:
    number = next(k for k in range(first, len(lines)) if not _ROW.fullmatch(lines[k]))
    raise InputError(
        f"The template {path} line {number + 1} reads {lines[number][:80]!r} instead of <track>/<frame:05d>.jpg,0",
        "use the organisers' original file",
    )
