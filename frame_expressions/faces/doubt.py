"""How doubtful the choice of a track's person is, to review the worst tracks first.

Shapes: T frames, F detections of all persons, C changes. Frame indices are 0-based.
"""

from dataclasses import dataclass

import numpy as np

from frame_expressions.artifacts.vocabulary import ABSENT, DETECTED, INTERPOLATED
from frame_expressions.faces.boxes import iou
from frame_expressions.faces.persons import SIMILAR_SIZE

NEAR_CHANGE_S = 1.0
JUMP_S, JUMP_IOU = 0.2, 0.5  # real clips: over 0.9 from frame to frame, 0.4 where a cut shows another face
RIVAL_WEIGHT, INTERPOLATED_WEIGHT = 0.5, 0.25
EXPLANATION = (
    "A frame's doubt is 1 if no face is chosen, or if the choice switches to another person or the box jumps within "
    f"{NEAR_CHANGE_S:g} s; {RIVAL_WEIGHT:g} if there is another face of similar size (at least {SIMILAR_SIZE:g} of the "
    f"chosen one's side); {INTERPOLATED_WEIGHT:g} if the box is interpolated; otherwise 0. A track's doubt is the mean "
    "over its frames."
)


@dataclass(frozen=True)
class Doubt:
    """Statistics of one track. Shares are of its frames; they are 0 for a track without frames.

    switches, jumps: int [C, 2], see `changes`. rival: bool [T], see `are_rivals`. median_side_px: of the chosen boxes,
    None if there are none. doubt: 0 (none) to 1, see `EXPLANATION`.
    """

    num_frames: int
    detected_share: float
    interpolated_share: float
    absent_share: float
    switches: np.ndarray
    jumps: np.ndarray
    rival: np.ndarray
    median_side_px: float | None
    doubt: float

    @property
    def rival_share(self) -> float:
        """Share of the frames that show another face of similar size."""
        return _share(self.rival)


def doubt_of(
    time_s: np.ndarray,
    xyxy_px: np.ndarray,
    status: np.ndarray,
    person: np.ndarray,
    face_index: np.ndarray,
    face_xyxy_px: np.ndarray,
) -> Doubt:
    """The statistics of one track.

    time_s: float [T], rising. xyxy_px: float [T, 4], NaN where absent. status: [T], see `subject`. person: int [T],
    read where detected. face_index: int [F], the frame of each face of the video. face_xyxy_px: float [F, 4].
    """
    status = np.asarray(status, dtype=str)
    switches, jumps = changes(time_s, xyxy_px, status, person)
    rival = np.zeros(len(status), bool)
    rival[face_index[are_rivals(xyxy_px, face_index, face_xyxy_px)]] = True
    after = np.sort(np.concatenate([switches[:, 1], jumps[:, 1]]))
    weight = np.where(status == INTERPOLATED, INTERPOLATED_WEIGHT, 0.0)
    weight[rival] = RIVAL_WEIGHT
    weight[(status == ABSENT) | _near(time_s, time_s[after])] = 1.0
    sides_px = side_px(xyxy_px[status != ABSENT])
    return Doubt(
        num_frames=len(status),
        detected_share=_share(status == DETECTED),
        interpolated_share=_share(status == INTERPOLATED),
        absent_share=_share(status == ABSENT),
        switches=switches,
        jumps=jumps,
        rival=rival,
        median_side_px=float(np.median(sides_px)) if len(sides_px) else None,
        doubt=_share(weight),
    )


def changes(
    time_s: np.ndarray, xyxy_px: np.ndarray, status: np.ndarray, person: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Where the choice changes: two int [C, 2], the frame of the detection before and of the one after each change.

    Switches: the person's number differs from one detection to the next, whatever is between them. Jumps: it does not,
    but boxes at most `JUMP_S` apart overlap by less than `JUMP_IOU`, as when tracking confuses two faces across
    a cut. Arguments as for `doubt_of`.
    """
    seen = np.flatnonzero(np.asarray(status, dtype=str) == DETECTED)
    pairs = np.column_stack([seen[:-1], seen[1:]])
    switched = np.diff(person[seen]) != 0
    near = np.diff(time_s[seen]) <= JUMP_S
    overlap = np.array([iou(xyxy_px[[before]], xyxy_px[[after]])[0, 0] for before, after in pairs])
    return pairs[switched], pairs[~switched & near & (overlap < JUMP_IOU)]


def are_rivals(xyxy_px: np.ndarray, face_index: np.ndarray, face_xyxy_px: np.ndarray) -> np.ndarray:
    """Whether each face is of another person and of similar size, bool [F]; arguments as for `doubt_of`.

    Another face: its centre is outside the chosen box. Similar size: its side is at least `SIMILAR_SIZE` times that
    box's. In a frame without a chosen face, the median side of the track's boxes is used; if the track has none, every
    size is similar.
    """
    chosen_px = side_px(xyxy_px)
    known = ~np.isnan(chosen_px)
    chosen_px[~known] = np.median(chosen_px[known]) if known.any() else 0.0
    own = xyxy_px[face_index]
    centre_px = (face_xyxy_px[:, :2] + face_xyxy_px[:, 2:]) / 2
    is_chosen = ((own[:, :2] <= centre_px) & (centre_px <= own[:, 2:])).all(axis=1)  # False where own is NaN
    return ~is_chosen & (side_px(face_xyxy_px) >= SIMILAR_SIZE * chosen_px[face_index])


def side_px(xyxy_px: np.ndarray) -> np.ndarray:
    """The longer side of each box [N, 4], float [N]; NaN for a box of NaN."""
    return (xyxy_px[:, 2:] - xyxy_px[:, :2]).max(axis=1, initial=-np.inf)


def evenly_spaced(num_frames: int, count: int) -> np.ndarray:
    """The middles of `count` equal parts of a track, int, rising; all frames if the track has at most `count`."""
    count = min(count, num_frames)
    return (2 * np.arange(count) + 1) * num_frames // (2 * max(1, count))


def _near(time_s: np.ndarray, events_s: np.ndarray) -> np.ndarray:
    """Whether each time [T] is within `NEAR_CHANGE_S` of one of the rising events [C]."""
    first = np.searchsorted(events_s, time_s - NEAR_CHANGE_S, side="left")
    beyond = np.searchsorted(events_s, time_s + NEAR_CHANGE_S, side="right")
    return beyond > first


def _share(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else 0.0
