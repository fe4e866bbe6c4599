"""From the persons of a video to the one box per frame that a track is about.

Shapes: T frames of the timeline, F detections of all persons. A choice is int [T]: the row of the chosen
detection, -1 where there is none.
"""

from collections.abc import Callable
from functools import partial
from itertools import pairwise

import numpy as np

from frame_expressions.artifacts.vocabulary import ABSENT, DETECTED, INTERPOLATED
from frame_expressions.faces.boxes import iou
from frame_expressions.faces.person_spec import Identity, Place, parse_person_spec
from frame_expressions.faces.persons import Persons
from frame_expressions.runtime.errors import InputError

LEAST_IOU = 0.3  # of a face with the box that an identity's reference names


def choose(persons: Persons, person: str, *, max_gap_s: float, takeover_s: float) -> np.ndarray:
    """The choice for a `person` as `wanted.parse_person_spec` reads it.

    max_gap_s: a person not seen for longer is away. takeover_s: how long another person must be seen meanwhile to
    become the subject of that time. Raises InputError where an identity's reference shows no face.
    """
    wanted = parse_person_spec(person)
    if isinstance(wanted, Identity):
        return _rows_by_frame(persons, _identified(persons, wanted))
    if isinstance(wanted, Place):
        return _at_rank(persons, wanted.place, max_gap_s)
    if wanted == "largest":
        return largest_face(persons)
    if wanted == "auto" or len(persons.mains) < 2:
        return follow_main_person(persons, max_gap_s, takeover_s)
    return PLACES[wanted](persons)


def largest_face(persons: Persons) -> np.ndarray:
    """In each frame the largest face, whoever it is; of equal ones the leftmost."""
    rows = np.lexsort((persons.xyxy_px[:, 0], -persons.side_px, persons.index))
    indices, first = np.unique(persons.index[rows], return_index=True)
    choice = _nobody(persons)
    choice[indices] = rows[first]
    return choice


def follow_main_person(persons: Persons, max_gap_s: float, takeover_s: float) -> np.ndarray:
    """The person there large and long, through the whole video.

    While that person is away, the next by presence of like size takes the time over, if seen in it for `takeover_s`;
    one who may be the same person, lost by the linking (`Persons.may_be`), needs only `max_gap_s`.
    So nobody takes over for a few frames.
    """
    if not persons.mains:
        return _nobody(persons)
    first, *pieces = persons.mains[0]
    choice, chosen = _rows_by_frame(persons, [first]), [first]
    for some in [*([piece] for piece in pieces), *persons.mains[1:], *persons.others]:
        rows = persons.rows_of(some)
        if persons.like_size(some, [first]):
            least_s = max_gap_s if persons.may_be(some, chosen) else takeover_s
            taken = False
            for start, end in _free_stretches(persons.time_s, choice, max_gap_s):
                inside = rows[(persons.index[rows] >= start) & (persons.index[rows] < end)]
                if len(inside) and np.ptp(persons.time_s[persons.index[inside]]) >= least_s:
                    choice[persons.index[inside]] = inside
                    taken = True
            if taken:
                chosen += some
    return choice


def _at_place(persons: Persons, axis: int, place: int) -> np.ndarray:
    """The main person at a place, 0 the first and -1 the last, from left to right (axis 0) or top to bottom (1)."""
    order = persons.in_order(axis)
    return _rows_by_frame(persons, order[place])


PLACES: dict[str, Callable[[Persons], np.ndarray]] = {
    "left": partial(_at_place, axis=0, place=0),
    "right": partial(_at_place, axis=0, place=-1),
    "top": partial(_at_place, axis=1, place=0),
    "second_left": partial(_at_place, axis=0, place=1),
    "second_right": partial(_at_place, axis=0, place=-2),
}
"""Of two or more main persons the one at a place; where there is one only, `choose` takes that one."""


def interpolate_boxes(
    persons: Persons, choice: np.ndarray, closed: np.ndarray, max_gap_s: float
) -> tuple[np.ndarray, list[str], np.ndarray]:
    """Box, status and person's number of every frame.

    closed: bool [T], frames that stay absent. Returns xyxy_px float32 [T, 4], NaN where absent; status [T]; number int
    [T], -1 where absent. Between two sightings of one number at most `max_gap_s` apart the box moves in a straight
    line over time.
    """
    xyxy_px = np.full((len(choice), 4), np.nan, np.float32)
    status = [ABSENT] * len(choice)
    number = np.full(len(choice), -1)
    seen = np.flatnonzero(choice >= 0)
    xyxy_px[seen] = persons.xyxy_px[choice[seen]]
    number[seen] = persons.person[choice[seen]]
    for index in seen:
        status[index] = DETECTED
    for before, after in pairwise(seen):
        ends_s = persons.time_s[[before, after]]
        same = number[before] == number[after]
        gap = slice(before + 1, after)
        if same and after - before > 1 and ends_s[1] - ends_s[0] <= max_gap_s and not closed[gap].any():
            share = (persons.time_s[gap, None] - ends_s[0]) / (ends_s[1] - ends_s[0])
            xyxy_px[gap] = (1 - share) * xyxy_px[before] + share * xyxy_px[after]
            status[gap] = [INTERPOLATED] * (after - before - 1)
            number[gap] = number[before]
    return xyxy_px, status, number


def _identified(persons: Persons, wanted: Identity) -> list[int]:
    """The numbers of the person whose face lies in the reference's box, pieces of a main person together."""
    rows = np.flatnonzero(persons.index == wanted.frame - 1)
    overlap = iou(np.array([wanted.xyxy_px]), persons.xyxy_px[rows])[0]
    if overlap.max(initial=0) < LEAST_IOU:
        boxes = "; ".join(",".join(f"{edge:.0f}" for edge in box) for box in persons.xyxy_px[rows])
        raise InputError(
            f"frame {wanted.frame} has no face at {','.join(f'{edge:g}' for edge in wanted.xyxy_px)}; "
            + (f"its faces lie at {boxes}." if boxes else "no face was found in it: name another frame.")
        )
    number = int(persons.person[rows[overlap.argmax()]])
    return next((main for main in persons.mains if number in main), [number])


def _at_rank(persons: Persons, place: int, least_s: float) -> np.ndarray:
    """Main persons first, then who else is there for `least_s` or longer: anything shorter is seldom a face."""
    others = [
        some for some in persons.others if np.ptp(persons.time_s[persons.index[persons.rows_of(some)]]) >= least_s
    ]
    everybody = [*persons.mains, *others]
    return _rows_by_frame(persons, everybody[place - 1]) if place <= len(everybody) else _nobody(persons)


def _rows_by_frame(persons: Persons, numbers: list[int]) -> np.ndarray:
    choice = _nobody(persons)
    rows = persons.rows_of(numbers)
    choice[persons.index[rows]] = rows
    return choice


def _nobody(persons: Persons) -> np.ndarray:
    return np.full(len(persons.time_s), -1)


def _free_stretches(time_s: np.ndarray, choice: np.ndarray, max_gap_s: float) -> list[tuple[int, int]]:
    """Half-open ranges of frames without a chosen detection for longer than `max_gap_s`, or at either end."""
    ends = np.concatenate([[-1], np.flatnonzero(choice >= 0), [len(choice)]])
    wide = [(int(ends[gap]), int(ends[gap + 1])) for gap in np.flatnonzero(np.diff(ends) > 1)]
    time_s = np.concatenate([time_s, [np.inf, -np.inf]])  # at len(choice) and at -1: never near
    return [(before + 1, after) for before, after in wide if time_s[after] - time_s[before] > max_gap_s]
