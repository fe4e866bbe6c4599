"""A table of folds that the user gives, such as the one that the authors published.

Comma- or tab-separated with a header: track (or txtid), and fold (from 1) or part (from 0); other columns are ignored.
Imported whenever the Snakefile is parsed, so it must import only the standard library.
"""

from collections.abc import Sequence
from pathlib import Path

from frame_expressions.artifacts.text import read_given_tsv
from frame_expressions.runtime.errors import InputError

NAMES, NUMBERS = ("track", "txtid"), {"fold": 1, "part": 0}
"""The columns that may name a track, and those that may name its part, each with the number of the first one."""


def read_fold_table(table: Path, tracks: Sequence[str], num_parts: int) -> dict[str, int]:
    """The part of each labelled track, from 0, in the order of `tracks`.

    Raises InputError, with file and line, for a row that does not fit, a track that is not one of `tracks`, a track
    without a row, or a part without a track.
    """
    columns, rows = read_given_tsv(table, "table of folds", delimiter="," if _has_commas(table) else "\t")
    names, numbers = ([column for column in columns if column in known] for known in (NAMES, NUMBERS))
    if len(names) != 1 or len(numbers) != 1:
        raise InputError(
            f"The table of folds {table} line 1 has the columns {', '.join(columns) or 'none'}",
            "use track (or txtid), and fold (from 1) or part (from 0), not both",
        )
    (name,), (number,) = names, numbers
    part_of: dict[str, int] = {}
    for line, row in rows:
        where = f"The table of folds {table} line {line}"
        if None in row:
            raise InputError(f"{where} has more fields than the header", "separate fields by one comma or tab")
        track, text = ((row[column] or "").strip() for column in (name, number))
        if track not in tracks:
            raise InputError(
                f"{where} names the track {track!r}, which is not a labelled track of the corpus",
                "correct the name or remove the row",
            )
        if track in part_of:
            raise InputError(f"{where} lists the track {track!r} again", "keep one of the two rows")
        part_of[track] = _part(where, number, text, num_parts)
    missing = [track for track in tracks if track not in part_of]
    if missing:
        raise InputError(f"The table of folds {table} lacks the labelled track {missing[0]}", "add a row for it")
    empty = set(range(num_parts)) - set(part_of.values())
    if empty:
        raise InputError(
            f"The table of folds {table} leaves {number} {min(empty) + NUMBERS[number]} empty",
            "set cross_validation.num_folds to the number of folds in the table",
        )
    return {track: part_of[track] for track in tracks}


def _has_commas(table: Path) -> bool:
    """Whether the header is separated by commas; a file that cannot be read is left to the reader."""
    try:
        with Path(table).open("rb") as file:
            return b"," in file.readline()
    except OSError:
        return False


def _part(where: str, column: str, text: str, num_parts: int) -> int:
    first = NUMBERS[column]
    if not (text.isascii() and text.isdecimal()) or not 0 <= int(text) - first < num_parts:
        raise InputError(
            f"{where} has {column} {text[:80]!r}", f"write a whole number from {first} to {first + num_parts - 1}"
        )
    return int(text) - first
