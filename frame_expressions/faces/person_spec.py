"""How a corpus specifies the person that a track is about.

A person is one of PERSONS; or `identity@<frame>:<x1>,<y1>,<x2>,<y2>`, the person whose face is in this box of that
frame; or `person@<place>`, the first, second, ... of all persons, ranked by presence (box size summed over frames).
Imported whenever the Snakefile is parsed, so it must not import pyarrow, pandas or torch.
"""

import re
from dataclasses import dataclass

from frame_expressions.runtime.errors import InputError

PERSONS = ("auto", "largest", "left", "right", "top", "second_left", "second_right")
_NUMBER = r"-?[0-9]{1,9}(?:\.[0-9]+)?"
_BOX = re.compile(rf"({_NUMBER}),({_NUMBER}),({_NUMBER}),({_NUMBER})")
_IDENTITY = re.compile(r"identity@([1-9][0-9]{0,8}):(.+)")
_PLACE = re.compile(r"person@([1-9][0-9]{0,2})")
SYNTAX = f"{', '.join(PERSONS)}, person@<place>, or identity@<frame>:<x1>,<y1>,<x2>,<y2>"


@dataclass(frozen=True)
class Identity:
    """The person whose face is in a box (x1, y1, x2, y2 in px of the upright frame) of a frame, 1-based."""

    frame: int
    xyxy_px: tuple[float, float, float, float]


@dataclass(frozen=True)
class Place:
    """The person at a place, 1 for the first, in the ranking by presence."""

    place: int


def parse_person_spec(text: str) -> str | Identity | Place:
    """A name of PERSONS, a place, or an identity; raises InputError for any other text."""
    if text in PERSONS:
        return text
    if found := _PLACE.fullmatch(text):
        return Place(int(found[1]))
    found = _IDENTITY.fullmatch(text)
    if not found:
        raise InputError(f"{text[:80]!r} is not a person", f"choose one of {SYNTAX}")
    return Identity(int(found[1]), parse_box(found[2]))


def parse_box(text: str) -> tuple[float, float, float, float]:
    """A box written as x1,y1,x2,y2; raises InputError for other text."""
    found = _BOX.fullmatch(text.replace(" ", ""))
    box = tuple(float(number) for number in found.groups()) if found else None
    if box is None or box[0] >= box[2] or box[1] >= box[3]:
        raise InputError(f"{text[:80]!r} is not a box", "write x1,y1,x2,y2 in pixels of the upright frame")
    return box
