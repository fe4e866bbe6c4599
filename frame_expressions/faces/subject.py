"""From the faces of a video to the subject of a track: one box per frame.

Shapes: T frames of the timeline, F detections of all persons. A choice is int [T]: the row of the chosen
detection, or -1.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np

from frame_expressions.artifacts.vocabulary import ABSENT, DETECTED, INTERPOLATED
from frame_expressions.faces.boxes import FaceTable, iou
from frame_expressions.faces.face_weight import face_weight
from frame_expressions.faces.person_spec import Identity, Place, parse_person_spec
from frame_expressions.faces.persons import Persons
from frame_expressions.faces.tracking import SubjectSettings, track_detections
from frame_expressions.runtime.errors import InputError

LEAST_IOU = 0.3  # of a detected face with the box that an identity refers to


@dataclass(frozen=True)
class Subject:
    """The person that a track is about, in every frame.

    xyxy_px: float32 [T, 4], NaN when absent. status: [T], DETECTED, INTERPOLATED or ABSENT. person: int [T], the number
    from tracking, -1 when absent. num_persons, num_mains: persons of the whole video that have a rank, and main persons
    among them.
    """

    xyxy_px: np.ndarray
    status: list[str]
    person: np.ndarray
    num_persons: int
    num_mains: int


def find_subject(
    faces: FaceTable, time_s: np.ndarray, person: str, overrides: Sequence[dict], settings: SubjectSettings
) -> Subject:
    """Link the faces of a video into persons and follow the one that a track is about.

    time_s: of every frame, [T]. person: see `person_spec`. overrides: rows of `corpora.overrides`; they replace the
    choice in their frames, and a later row replaces an earlier one. Raises InputError for an override or a reference
    to a face that does not fit the video.
    """
    index = faces.frame - 1
    number = track_detections(faces, time_s[index], settings)
    persons = Persons(
        time_s,
        index,
        faces.xyxy_px,
        number,
        faces.embedding,
        settings.min_similarity,
        face_weight(faces.score, faces.landmarks_px),
        [cut.frame - 1 for cut in faces.cuts],
    )
    choice, forced_absent = _choose_with_overrides(persons, person, overrides, settings)
    xyxy_px, status, chosen = interpolate_boxes(persons, choice, forced_absent, settings.max_gap_s)
    return Subject(xyxy_px, status, chosen, len(_ranked(persons, settings.max_gap_s)), len(persons.mains))


def _choose_with_overrides(
    persons: Persons, person: str, overrides: Sequence[dict], settings: SubjectSettings
) -> tuple[np.ndarray, np.ndarray]:
    """The choice, and the frames that an override declares absent, bool [T]."""
    num_frames = len(persons.time_s)
    forced_absent = np.zeros(num_frames, bool)
    if num_frames == 0:  # a skipped video
        return np.zeros(0, int), forced_absent
    choice = _choose_naming_the_spec(f"person {person}", persons, person, settings)
    for row in overrides:
        if row["from_frame"] > num_frames:
            raise InputError(
                f"an override starts at frame {row['from_frame']}, but the video has {num_frames} frames",
                "correct the row in the overrides table",
            )
        frames = slice(row["from_frame"] - 1, row["to_frame"])
        forced_absent[frames] = row["person"] == ABSENT
        other = np.full(num_frames, -1)
        if row["person"] != ABSENT:
            other = _choose_naming_the_spec(f"override {row['person']}", persons, row["person"], settings)
        choice[frames] = other[frames]
    return choice, forced_absent


def _choose_naming_the_spec(what: str, persons: Persons, person: str, settings: SubjectSettings) -> np.ndarray:
    """`choose_detections`, whose error begins with `what`: the track's person or the override."""
    try:
        return choose_detections(persons, person, max_gap_s=settings.max_gap_s, takeover_s=settings.takeover_s)
    except InputError as error:
        raise InputError(f"{what}: {error.what}", error.remedy) from error


def choose_detections(persons: Persons, person: str, *, max_gap_s: float, takeover_s: float) -> np.ndarray:
    """The choice for a `person`, as `person_spec` describes them.

    max_gap_s: a person not seen for longer is away. takeover_s: while the person is away, how long another must be seen
    to become the subject. Raises InputError if the reference of an identity shows no face.
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
    """The largest face of each frame, of any person; of equal ones the leftmost."""
    rows = np.lexsort((persons.xyxy_px[:, 0], -persons.side_px, persons.index))
    indices, first = np.unique(persons.index[rows], return_index=True)
    choice = _nobody(persons)
    choice[indices] = rows[first]
    return choice


def follow_main_person(persons: Persons, max_gap_s: float, takeover_s: float) -> np.ndarray:
    """The person with the highest presence (weighted box size summed over frames), through the whole video.

    While that person is away, the next by presence with a face of similar size takes over, if seen for at least
    `takeover_s` in that time, so a short absence does not switch to another person. A face that may be the same
    person's, lost by tracking (`Persons.may_be`), needs only `max_gap_s`. If the detector computes no identities,
    no one takes over in a shot without anyone followed so far, because a face after a cut could be anyone's.
    """
    if not persons.mains:
        return _nobody(persons)
    first, *pieces = persons.mains[0]
    choice, chosen = _rows_by_frame(persons, [first]), [first]
    for some in [*([piece] for piece in pieces), *persons.mains[1:], *persons.others]:
        rows = persons.rows_of(some)
        is_cut_off = persons.embedding is None and not persons.share_a_shot(some, chosen)
        if persons.is_similar_size(some, [first]) and not is_cut_off:
            least_s = max_gap_s if persons.may_be(some, chosen) else takeover_s
            taken = False
            for start, end in _free_stretches(persons.time_s, choice, max_gap_s):
                inside = rows[(persons.index[rows] >= start) & (persons.index[rows] < end)]
                if len(inside) and persons.seen_s(inside) >= least_s:
                    choice[persons.index[inside]] = inside
                    taken = True
            if taken:
                chosen += some
    return choice


def _at_place(persons: Persons, axis: int, place: int) -> np.ndarray:
    """The main person at a place, 0 for the first and -1 for the last, left to right (axis 0) or top down (axis 1)."""
    order = persons.in_order(axis)
    return _rows_by_frame(persons, order[place])


PLACES: dict[str, Callable[[Persons], np.ndarray]] = {
    "left": partial(_at_place, axis=0, place=0),
    "right": partial(_at_place, axis=0, place=-1),
    "top": partial(_at_place, axis=1, place=0),
    "second_left": partial(_at_place, axis=0, place=1),
    "second_right": partial(_at_place, axis=0, place=-2),
}
"""The choice of one of several main persons by place; with only one, `choose_detections` takes that one."""


def interpolate_boxes(
    persons: Persons, choice: np.ndarray, forced_absent: np.ndarray, max_gap_s: float
) -> tuple[np.ndarray, list[str], np.ndarray]:
    """Box, status and person's number of every frame, with short gaps interpolated.

    forced_absent: bool [T], frames that stay absent. Between two sightings of one person in one shot, at most
    `max_gap_s` apart, the box is interpolated linearly over time.
    Returns xyxy_px float32 [T, 4], NaN when absent; status [T]; number int [T], -1 when absent.
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
        same = number[before] == number[after] and persons.shot[choice[before]] == persons.shot[choice[after]]
        gap = slice(before + 1, after)
        if same and after - before > 1 and ends_s[1] - ends_s[0] <= max_gap_s and not forced_absent[gap].any():
            share = (persons.time_s[gap, None] - ends_s[0]) / (ends_s[1] - ends_s[0])
            xyxy_px[gap] = (1 - share) * xyxy_px[before] + share * xyxy_px[after]
            status[gap] = [INTERPOLATED] * (after - before - 1)
            number[gap] = number[before]
    return xyxy_px, status, number


def _identified(persons: Persons, wanted: Identity) -> list[int]:
    """The number of the person whose face is in the box of `wanted`; of a main person, those of all its pieces."""
    rows = np.flatnonzero(persons.index == wanted.frame - 1)
    overlap = iou(np.array([wanted.xyxy_px]), persons.xyxy_px[rows])[0]
    if overlap.max(initial=0) < LEAST_IOU:
        boxes = "; ".join(",".join(f"{edge:.0f}" for edge in box) for box in persons.xyxy_px[rows])
        raise InputError(
            f"frame {wanted.frame} has no face at {','.join(f'{edge:g}' for edge in wanted.xyxy_px)}",
            f"give the box of one of its faces: {boxes}" if boxes else "name another frame: no face was found in it",
        )
    number = int(persons.person[rows[overlap.argmax()]])
    return next((main for main in persons.mains if number in main), [number])


def _at_rank(persons: Persons, place: int, least_s: float) -> np.ndarray:
    """The person at a rank, see `_ranked`."""
    everybody = _ranked(persons, least_s)
    return _rows_by_frame(persons, everybody[place - 1]) if place <= len(everybody) else _nobody(persons)


def _ranked(persons: Persons, least_s: float) -> list[list[int]]:
    """Main persons, then others seen for at least `least_s`; what is seen for less is rarely a face."""
    others = [some for some in persons.others if persons.seen_s(persons.rows_of(some)) >= least_s]
    return [*persons.mains, *others]


def _rows_by_frame(persons: Persons, numbers: list[int]) -> np.ndarray:
    choice = _nobody(persons)
    rows = persons.rows_of(numbers)
    choice[persons.index[rows]] = rows
    return choice


def _nobody(persons: Persons) -> np.ndarray:
    return np.full(len(persons.time_s), -1)


def _free_stretches(time_s: np.ndarray, choice: np.ndarray, max_gap_s: float) -> list[tuple[int, int]]:
    """Half-open ranges of frames without a chosen detection: longer than `max_gap_s`, or at either end of the video."""
    ends = np.concatenate([[-1], np.flatnonzero(choice >= 0), [len(choice)]])
    wide = [(int(ends[gap]), int(ends[gap + 1])) for gap in np.flatnonzero(np.diff(ends) > 1)]
    time_s = np.concatenate([time_s, [np.inf, -np.inf]])  # at len(choice) and at -1: never near
    return [(before + 1, after) for before, after in wide if time_s[after] - time_s[before] > max_gap_s]
