"""How a corpus says who a track is about. Light: read with the Snakefile.

A person is one of PERSONS, or `identity@<frame>:<x1>,<y1>,<x2>,<y2>`: whoever has the face in this box of that frame,
or `person@<place>`: the first, second, ... of all who are there, the one there large and long first.
"""

import re
from dataclasses import dataclass

PERSONS = ("auto", "largest", "left", "right", "top", "second_left", "second_right")
_NUMBER = r"-?[0-9]{1,9}(?:\.[0-9]+)?"
_BOX = re.compile(rf"({_NUMBER}),({_NUMBER}),({_NUMBER}),({_NUMBER})")
_IDENTITY = re.compile(r"identity@([1-9][0-9]{0,8}):(.+)")
_PLACE = re.compile(r"person@([1-9][0-9]{0,2})")
SYNTAX = f"{', '.join(PERSONS)}, person@<place>, or identity@<frame>:<x1>,<y1>,<x2>,<y2>"


@dataclass(frozen=True)
class Identity:
    """The person whose face lies in a box (x1, y1, x2, y2 in px of the upright frame) of a frame, 1-based."""

    frame: int
    xyxy_px: tuple[float, float, float, float]


@dataclass(frozen=True)
class Place:
    """The person at a place, 1 the first, among all by how large and long they are there."""

    place: int


def parse_person_spec(text: str) -> str | Identity | Place:
    """A name of PERSONS, a place, or the reference of an identity; ValueError for anything else."""
    if text in PERSONS:
        return text
    if found := _PLACE.fullmatch(text):
        return Place(int(found[1]))
    found = _IDENTITY.fullmatch(text)
    if not found:
        raise ValueError(f"{text[:80]!r} is no person; choose one of {SYNTAX}")
    return Identity(int(found[1]), parse_box(found[2]))


def parse_box(text: str) -> tuple[float, float, float, float]:
    """A box written as x1,y1,x2,y2; ValueError where it is none."""
    found = _BOX.fullmatch(text.replace(" ", ""))
    box = tuple(float(number) for number in found.groups()) if found else None
    if box is None or box[0] >= box[2] or box[1] >= box[3]:
        raise ValueError(f"{text[:80]!r} is no box; write x1,y1,x2,y2 in pixels of the upright frame")
    return box
