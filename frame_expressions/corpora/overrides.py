"""The overrides table: a researcher's decision on who a track is about, in some or all of its frames.

Tab-separated with a header: track, from_frame, to_frame (1-based, both included; empty: from the first, to the last),
person (as in `faces.person_spec`, `identity` with a box, or `absent`), and optionally box: x1,y1,x2,y2 of the face of
an `identity`, in px of the upright frame `from_frame`.
"""

import re
from collections.abc import Collection
from pathlib import Path

from frame_expressions.artifacts.text import read_given_tsv
from frame_expressions.artifacts.vocabulary import ABSENT
from frame_expressions.faces.person_spec import parse_box, parse_person_spec
from frame_expressions.runtime.errors import InputError

REQUIRED = ("track", "from_frame", "to_frame", "person")
OPTIONAL = ("box",)
_FRAME = re.compile(r"0*[1-9][0-9]{0,8}")


def read_overrides(tsv: Path, tracks: Collection[str]) -> dict[str, list[dict]]:
    """Rows from_frame int, to_frame int or None, person, by track and in the table's order.

    An `identity` with its box becomes `identity@<from_frame>:<box>`. Raises InputError with file and line for a row
    that does not fit, or a track that is not one of `tracks`.
    """
    columns, rows = read_given_tsv(tsv, "overrides table")
    if not set(REQUIRED) <= set(columns) <= {*REQUIRED, *OPTIONAL} or len(set(columns)) < len(columns):
        raise InputError(
            f"The overrides table {tsv} line 1 has the columns {', '.join(columns) or 'none'}",
            f"use {', '.join(REQUIRED)} and optionally box, separated by tabs",
        )
    overrides: dict[str, list[dict]] = {}
    for line, row in rows:
        where = f"The overrides table {tsv} line {line}"
        if None in row:
            raise InputError(f"{where} has more fields than the header", "separate fields by one tab")
        values = {column: (row.get(column) or "").strip() for column in (*REQUIRED, *OPTIONAL)}
        if values["track"] not in tracks:
            raise InputError(
                f"{where} names the track {values['track']!r}, which the corpus does not have", "correct the name"
            )
        overrides.setdefault(values["track"], []).append(_override(where, values))
    return overrides


def _override(where: str, values: dict[str, str]) -> dict:
    first = _frame(where, values["from_frame"], "from_frame") or 1
    last = _frame(where, values["to_frame"], "to_frame")
    if last is not None and last < first:
        raise InputError(f"{where} goes from frame {first} to {last}", "set to_frame to at least from_frame")
    person, box = values["person"], values["box"]
    if box and person != "identity":
        raise InputError(f"{where} gives a box to {person!r}", "remove the box, or set person to identity")
    if person == "identity" and not box:
        raise InputError(f"{where} gives no box to identity", f"write the box of the face in frame {first}")
    try:
        if box:
            parse_box(box)
            person = f"identity@{first}:{box.replace(' ', '')}"
        elif person != ABSENT:
            parse_person_spec(person)
    except InputError as error:
        remedy = error.remedy if box else f"{error.remedy}, or {ABSENT}"
        raise InputError(f"{where}: {error.what}", remedy) from error
    return {"from_frame": first, "to_frame": last, "person": person}


def _frame(where: str, text: str, column: str) -> int | None:
    if not text:
        return None
    if not _FRAME.fullmatch(text):
        raise InputError(f"{where} has {column} {text[:80]!r}", "write a whole number from 1")
    return int(text)
