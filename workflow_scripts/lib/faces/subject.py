"""From the persons of a video to the one box per frame that a track is about.

Shapes: T frames of the timeline, F detections of all persons. A choice is int [T]: the row of the chosen
detection, -1 where there is none.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

DETECTED, INTERPOLATED, ABSENT = "detected", "interpolated", "absent"
LIKE_SIZE = 0.5  # of the main person's: smaller ones are bystanders, or no faces at all


@dataclass(frozen=True)
class Persons:
    """The linked detections of one video.

    time_s: float [T], rising. index: int [F], the 0-based row of the timeline, rising. xyxy_px: float [F, 4].
    person: int [F], see `linking.link`. max_gap_s: a person not seen for longer is away. takeover_s: how long
    another person must be seen meanwhile to become the subject of that time.
    """

    time_s: np.ndarray
    index: np.ndarray
    xyxy_px: np.ndarray
    person: np.ndarray
    max_gap_s: float
    takeover_s: float

    def side_px(self) -> np.ndarray:
        """The longer side of each box, float [F]."""
        return (self.xyxy_px[:, 2:] - self.xyxy_px[:, :2]).max(axis=1, initial=0)

    def by_presence(self) -> list[int]:
        """Persons by the sum of their sides over their frames: those there large and long first."""
        presence = np.bincount(self.person, weights=self.side_px())
        return [int(who) for who in np.argsort(-presence, kind="stable")]

    def rows_of(self, *who: int) -> np.ndarray:
        """Rows of these persons' detections."""
        return np.flatnonzero(np.isin(self.person, who))

    def seen_together(self, who: int, others: list[int]) -> bool:
        """Whether a frame shows this person beside one of the others."""
        return bool(np.isin(self.index[self.rows_of(who)], self.index[self.rows_of(*others)]).any())

    def like_size(self, who: int, other: int) -> bool:
        """Whether this person's median side is at least `LIKE_SIZE` of the other's."""
        side = self.side_px()
        return bool(np.median(side[self.rows_of(who)]) >= LIKE_SIZE * np.median(side[self.rows_of(other)]))


def largest(persons: Persons) -> np.ndarray:
    """In each frame the largest face, whoever it is; of equal ones the leftmost."""
    rows = np.lexsort((persons.xyxy_px[:, 0], -persons.side_px(), persons.index))
    indices, first = np.unique(persons.index[rows], return_index=True)
    choice = _nobody(persons)
    choice[indices] = rows[first]
    return choice


def auto(persons: Persons) -> np.ndarray:
    """The person there large and long, through the whole video.

    While that person is away, the next by presence of like size takes the time over, if seen in it for
    `takeover_s`; one never seen together with those chosen may be the same person, lost by the linking, and
    needs only `max_gap_s`. So nobody takes over for a few frames.
    """
    choice = _nobody(persons)
    chosen: list[int] = []
    for who in persons.by_presence():
        rows = persons.rows_of(who)
        if not chosen:
            choice[persons.index[rows]] = rows
            chosen.append(who)
        elif persons.like_size(who, chosen[0]):
            least_s = persons.takeover_s if persons.seen_together(who, chosen) else persons.max_gap_s
            taken = False
            for start, end in _free_stretches(persons, choice):
                inside = rows[(persons.index[rows] >= start) & (persons.index[rows] < end)]
                if len(inside) and np.ptp(persons.time_s[persons.index[inside]]) >= least_s:
                    choice[persons.index[inside]] = inside
                    taken = True
            if taken:
                chosen.append(who)
    return choice


def left(persons: Persons) -> np.ndarray:
    """Of the video's two main persons the left one; see `_two_sides`."""
    return _side(persons, 0)


def right(persons: Persons) -> np.ndarray:
    """Of the video's two main persons the right one; see `_two_sides`."""
    return _side(persons, 1)


CHOOSERS: dict[str, Callable[[Persons], np.ndarray]] = {
    "auto": auto,
    "largest": largest,
    "left": left,
    "right": right,
}


def fill(persons: Persons, choice: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Box and status of every frame: xyxy_px float32 [T, 4], NaN where absent, and status [T].

    Between two sightings of one person at most `max_gap_s` apart the box moves in a straight line over time.
    """
    xyxy_px = np.full((len(choice), 4), np.nan, np.float32)
    status = [ABSENT] * len(choice)
    seen = np.flatnonzero(choice >= 0)
    xyxy_px[seen] = persons.xyxy_px[choice[seen]]
    for index in seen:
        status[index] = DETECTED
    for before, after in pairwise(seen):
        ends_s = persons.time_s[[before, after]]
        same = persons.person[choice[before]] == persons.person[choice[after]]
        if same and after - before > 1 and ends_s[1] - ends_s[0] <= persons.max_gap_s:
            gap = slice(before + 1, after)
            share = (persons.time_s[gap, None] - ends_s[0]) / (ends_s[1] - ends_s[0])
            xyxy_px[gap] = (1 - share) * xyxy_px[before] + share * xyxy_px[after]
            status[gap] = [INTERPOLATED] * (after - before - 1)
    return xyxy_px, status


def _nobody(persons: Persons) -> np.ndarray:
    return np.full(len(persons.time_s), -1)


def _free_stretches(persons: Persons, choice: np.ndarray) -> list[tuple[int, int]]:
    """Half-open ranges of frames without a chosen detection for longer than `max_gap_s`, or at either end."""
    ends = np.concatenate([[-1], np.flatnonzero(choice >= 0), [len(choice)]])
    wide = [(int(ends[gap]), int(ends[gap + 1])) for gap in np.flatnonzero(np.diff(ends) > 1)]
    time_s = np.concatenate([persons.time_s, [np.inf, -np.inf]])  # at len(choice) and at -1: never near
    return [(before + 1, after) for before, after in wide if time_s[after] - time_s[before] > persons.max_gap_s]


def _side(persons: Persons, side: int) -> np.ndarray:
    sides = _two_sides(persons)
    if sides is None:
        return auto(persons)
    choice = _nobody(persons)
    rows = persons.rows_of(*sides[side])
    choice[persons.index[rows]] = rows
    return choice


def _two_sides(persons: Persons) -> tuple[list[int], list[int]] | None:
    """Persons who make up the left and the right one of a video; None when no two are ever seen together.

    The main two are the one with the greatest presence and the next of like size seen together with that one;
    the median difference of their centres over the frames that show both says who is left. Each keeps this
    role when alone or when they change places. Others of like size are pieces of those two, lost by the
    linking: one seen beside only one of them belongs to the other, one seen beside neither to the one whose
    box lies nearer, one seen beside both is a third person.
    """
    order = persons.by_presence()
    partners = [who for who in order[1:] if persons.seen_together(who, order[:1]) and persons.like_size(who, order[0])]
    if not partners:
        return None
    main, partner = order[0], partners[0]
    sides = ([main], [partner]) if _is_left_of(persons, main, partner) else ([partner], [main])
    for who in order:
        if who in (main, partner) or not persons.like_size(who, main):
            continue
        beside_left, beside_right = (persons.seen_together(who, side) for side in sides)
        if beside_left != beside_right:
            sides[int(beside_left)].append(who)
        elif not beside_left:
            distances_px = [_distance_px(persons, who, side) for side in sides]
            sides[int(np.argmin(distances_px))].append(who)
    return sides


def _is_left_of(persons: Persons, who: int, other: int) -> bool:
    rows, other_rows = persons.rows_of(who), persons.rows_of(other)
    _, mine, others = np.intersect1d(persons.index[rows], persons.index[other_rows], return_indices=True)
    centre_px = persons.xyxy_px[:, [0, 2]].mean(axis=1)
    return bool(np.median(centre_px[rows[mine]] - centre_px[other_rows[others]]) < 0)


def _distance_px(persons: Persons, who: int, others: list[int]) -> float:
    """Distance of centres between this person's first box and the others' box nearest to it in time."""
    first, rows = persons.rows_of(who)[0], persons.rows_of(*others)
    times_s = persons.time_s[persons.index]
    nearest = rows[np.argmin(np.abs(times_s[rows] - times_s[first]))]
    centres_px = (persons.xyxy_px[:, :2] + persons.xyxy_px[:, 2:]) / 2
    return float(np.linalg.norm(centres_px[first] - centres_px[nearest]))
