"""The challenge's file of predictions: a writer, and an independent checker that only shares the format with it.

Run the checker on any file: `python -m frame_expressions.challenge.submission PREDICTIONS TEMPLATE`. Editions 1 to 4
expect one file per track: `--per-track FOLDER` writes them from a checked file and does not need a template.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from frame_expressions.artifacts.file_names import is_name
from frame_expressions.artifacts.text import write_text
from frame_expressions.artifacts.vocabulary import EXPRESSIONS
from frame_expressions.challenge.templates import image_location
from frame_expressions.runtime.errors import InputError

HEADER = ",".join(("image_location", *EXPRESSIONS))
_CLASSES = {str(number): name for number, name in enumerate(EXPRESSIONS)}


def write_predictions(path: Path, rows: Sequence[tuple[str, int]], classes: np.ndarray) -> None:
    """Write one line per row (track, 1-based frame) with its class, [N] int 0 to 7, below the header."""
    lines = [
        f"{image_location(track, frame)},{number}"
        for (track, frame), number in zip(rows, classes.tolist(), strict=True)
    ]
    write_text("\n".join([HEADER, *lines]) + "\n", path)


def write_track_files(predictions: Path, folder: Path) -> int:
    """Write `<track>.txt` into `folder` for every track of a checked file of predictions; returns their number.

    The format of editions 1 to 4: the eight class names, then one class per line, line k below the header for frame k.
    Raises InputError for a track whose frames are not 1, 2, 3 ... in this order, and for a folder with other tracks.
    """
    values: dict[str, list[str]] = {}
    for number, line in enumerate(_lines(predictions)[1:], start=2):
        location, value = line.split(",")
        track = location.split("/", 1)[0]
        if not is_name(track):
            raise _offence(predictions, number, f"names the track {track[:80]!r}, which cannot be a file name")
        of_track = values.setdefault(track, [])
        expected = image_location(track, len(of_track) + 1)
        if location != expected:
            raise _offence(predictions, number, f"gives {location}, but a file per track needs {expected} there")
        of_track.append(value)
    others = sorted(file.name for file in folder.glob("*.txt") if file.stem not in values)
    if others:
        raise InputError(f"{folder} holds {others[0]}, which is not a track of {predictions}", "name a new folder")
    for track, of_track in values.items():
        write_text("\n".join([",".join(EXPRESSIONS), *of_track]) + "\n", folder / f"{track}.txt")
    return len(values)


def check_predictions(predictions: Path, template: Path | Sequence[str]) -> dict:
    """Verify a file of predictions against the template (file or folder), or the ordered list of its image locations.

    Returns its number of rows and tracks, and the rows of each class. Raises InputError that names the first
    offending line: header, line ends, spaces, number of fields, class, order, or a missing, duplicate or unknown row.
    """
    expected = _template_locations(template) if isinstance(template, Path) else list(template)
    wanted = set(expected)
    if len(wanted) < len(expected):
        raise InputError(f"The template of {predictions} lists a row twice", "use the organisers' original file")
    lines = _lines(predictions)
    if lines[0].startswith("\ufeff"):
        raise _offence(predictions, 1, "begins with a byte order mark")
    if lines[0] != HEADER:
        raise _offence(predictions, 1, f"is {lines[0][:80]!r} instead of the header {HEADER}")
    counts = dict.fromkeys(EXPRESSIONS, 0)
    seen: set[str] = set()
    for number, line in enumerate(lines[1:], start=2):
        if " " in line or "\t" in line:
            raise _offence(predictions, number, f"holds a space: {line[:80]!r}")
        if not line:
            raise _offence(predictions, number, "is blank")
        fields = line.split(",")
        if len(fields) != 2:
            raise _offence(predictions, number, f"has {len(fields)} fields instead of 2: {line[:80]!r}")
        location, value = fields
        if value not in _CLASSES:
            raise _offence(predictions, number, f"gives the class {value[:80]!r} instead of one from 0 to 7")
        if location in seen:
            raise _offence(predictions, number, f"gives {location} a second time")
        if location not in wanted:
            raise _offence(predictions, number, f"gives {location[:80]}, which is not in the template")
        if location != expected[number - 2]:
            raise _offence(predictions, number, f"gives {location} where the template has {expected[number - 2]}")
        seen.add(location)
        counts[_CLASSES[value]] += 1
    if len(seen) < len(expected):
        raise _offence(predictions, len(lines) + 1, f"is missing: the template continues with {expected[len(seen)]}")
    tracks = {location.split("/", 1)[0] for location in expected}
    return {"rows": len(expected), "tracks": len(tracks), "class_counts": counts}


def _template_locations(template: Path) -> list[str]:
    try:
        if template.is_dir():
            shown = [file for file in template.glob("*.txt") if not file.name.startswith(".")]
            num_rows = {file.stem: file.read_text(encoding="utf-8-sig").rstrip().count("\n") for file in shown}
            return [f"{track}/{k + 1:05d}.jpg" for track in sorted(num_rows) for k in range(num_rows[track])]
        lines = template.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"The template {template} cannot be read ({error})", "use the organisers' original file"
        ) from error
    locations = [line.split(",", 1)[0].strip() for line in lines]
    return [location for location in locations if location and location != "image_location"]


def _lines(predictions: Path) -> list[str]:
    try:
        text = predictions.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{predictions} cannot be read ({error})", "write it again") from error
    if "\r" in text:
        number = text[: text.index("\r")].count("\n") + 1
        raise _offence(predictions, number, "ends in a carriage return; only a line feed may end a line")
    lines = text.split("\n")
    if lines[-1]:
        raise _offence(predictions, len(lines), "does not end in a line feed")
    return lines[:-1] or [""]


def _offence(predictions: Path, number: int, what: str) -> InputError:
    return InputError(f"{predictions} line {number} {what}", "correct the file or write it again")


def main() -> int:
    """Check the files named on the command line; print a summary and return 0 if the challenge would accept them."""
    parser = argparse.ArgumentParser(description="Check an EXPR submission against the organisers' template.")
    parser.add_argument("predictions", type=Path)
    parser.add_argument("template", type=Path, nargs="?", help="file, or folder of editions 1 to 4")
    parser.add_argument("--per-track", type=Path, metavar="FOLDER", help="write one file per track (editions 1 to 4)")
    arguments = parser.parse_intermixed_args()
    if not (arguments.template or arguments.per_track):
        parser.error("the template is needed, unless --per-track is given")
    try:
        found = check_predictions(arguments.predictions, arguments.template or _own_locations(arguments.predictions))
        if arguments.per_track:
            found["track_files"] = write_track_files(arguments.predictions, arguments.per_track)
    except InputError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    print(json.dumps(found, indent=2))
    return 0


def _own_locations(predictions: Path) -> list[str]:
    return list(dict.fromkeys(line.split(",", 1)[0] for line in _lines(predictions)[1:]))


if __name__ == "__main__":
    sys.exit(main())
