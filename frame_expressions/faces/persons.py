"""The persons of one video, built from linked detections.

Shapes: T frames of the timeline, F detections of all persons.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, cmp_to_key

import numpy as np

SIMILAR_SIZE = 0.5  # of the main person's side: smaller faces are bystanders or false detections
LEAST_PRESENCE = 0.1  # of the first main person's: false detections come in a few frames
MAIN_SHARE = 2 / 3  # of the first main person's frames: passers-by and false detections are seen less


@dataclass(frozen=True)
class Persons:
    """The linked detections of one video.

    time_s: float [T], rising. index: int [F], the 0-based row of the timeline, rising. xyxy_px: float [F, 4].
    person: int [F], see `tracking.track_detections`. embedding: float [F, D], or None without identities.
    min_similarity: minimum cosine of the mean embeddings of two persons that may be one. weight: of each detection, see
    `face_weight`, float32 [F], or None: each weighs 1. cut_index: int [C], the 0-based frames that begin a new shot.
    """

    time_s: np.ndarray
    index: np.ndarray
    xyxy_px: np.ndarray
    person: np.ndarray
    embedding: np.ndarray | None = None
    min_similarity: float = 0.0
    weight: np.ndarray | None = None
    cut_index: Sequence[int] = ()

    @cached_property
    def side_px(self) -> np.ndarray:
        """The longer side of each box, float [F]."""
        return (self.xyxy_px[:, 2:] - self.xyxy_px[:, :2]).max(axis=1, initial=0)

    @cached_property
    def shot(self) -> np.ndarray:
        """The number of the shot of each detection, from 0: int [F]."""
        return np.searchsorted(self.cut_index, self.index, side="right")

    @cached_property
    def mains(self) -> list[list[int]]:
        """The numbers of each main person, ranked by presence (weighted box size summed over frames).

        If the detector computes no identities, tracking gives a person who was away or hidden a new number. Main
        persons have faces of similar size, each is seen in a frame with every other, and their presence is at least
        `LEAST_PRESENCE` of the first one's; from the third on they are also seen in at least `MAIN_SHARE` of the first
        one's frames. Any other number with a face of similar size is a piece of the main person that it `may_be`; of
        several, the one with the nearest box.
        """
        return self._mains_and_others[0]

    @cached_property
    def others(self) -> list[list[int]]:
        """The other persons, one number each, ranked by presence: bystanders and passers-by."""
        return self._mains_and_others[1]

    def presence(self, numbers: list[int]) -> float:
        """The longer sides of the boxes, times their weights, summed over the frames."""
        rows = self.rows_of(numbers)
        return float((self.side_px[rows] if self.weight is None else self.side_px[rows] * self.weight[rows]).sum())

    def rows_of(self, numbers: list[int]) -> np.ndarray:
        """Rows of these numbers' detections."""
        return np.flatnonzero(np.isin(self.person, numbers))

    def seen_together(self, some: list[int], others: list[int]) -> bool:
        """Whether any frame shows one of `some` together with one of `others`."""
        return bool(np.isin(self.index[self.rows_of(some)], self.index[self.rows_of(others)]).any())

    def may_be(self, some: list[int], others: list[int]) -> bool:
        """Whether `some` may be a lost piece of `others`: no frame shows both, and their faces are similar.

        If the detector computes no identities, nothing is known of faces on different sides of a cut, and they are
        taken for different persons.
        """
        if self.embedding is None and not self.share_a_shot(some, others):
            return False
        return not self.seen_together(some, others) and self._similarity(some, others) >= self.min_similarity

    def share_a_shot(self, some: list[int], others: list[int]) -> bool:
        """Whether any shot shows one of `some` and, in the same frame or another, one of `others`."""
        return bool(np.isin(self.shot[self.rows_of(some)], self.shot[self.rows_of(others)]).any())

    def seen_s(self, rows: np.ndarray) -> float:
        """Time from the first to the last of these detections, but at most as much as their frames together last.

        False detections far apart are thus not seen for long.
        """
        times_s = self.time_s[np.unique(self.index[rows])]
        return min(float(np.ptp(times_s)), len(times_s) * self._frame_s) if len(times_s) else 0.0

    def is_similar_size(self, some: list[int], others: list[int]) -> bool:
        """Whether the median side of `some` is at least `SIMILAR_SIZE` times that of `others`."""
        median_px, others_px = (np.median(self.side_px[self.rows_of(numbers)]) for numbers in (some, others))
        return bool(median_px >= SIMILAR_SIZE * others_px)

    def in_order(self, axis: int) -> list[list[int]]:
        """The main persons from left to right (axis 0) or from top to bottom (axis 1).

        Two persons are compared by the median distance of their centres over the frames that show both, so they keep
        their places when alone or after changing sides.
        """
        return sorted(self.mains, key=cmp_to_key(lambda one, other: self._distance_along(axis, one, other)))

    @cached_property
    def _frame_s(self) -> float:
        """The median time from frame to frame."""
        return float(np.median(np.diff(self.time_s))) if len(self.time_s) > 1 else 0.0

    @cached_property
    def _mains_and_others(self) -> tuple[list[list[int]], list[list[int]]]:
        order = self._by_presence([[number] for number in np.unique(self.person).tolist()])
        mains, rest = order[:1], []
        for some in order[1:]:
            is_passing = len(self.rows_of(some)) < MAIN_SHARE * len(self.rows_of(order[0]))
            with_all = all(self.seen_together(some, main) for main in mains)
            is_there = self.presence(some) >= LEAST_PRESENCE * self.presence(order[0])
            if self.is_similar_size(some, order[0]) and with_all and is_there and not (is_passing and len(mains) > 1):
                mains.append(some)
            else:
                rest.append(some)
        others = []
        for some in rest:
            possible = [main for main in mains if self.may_be(some, main)]
            if possible and self.is_similar_size(some, order[0]):
                min(possible, key=lambda main: self._gap_px(some, main)).extend(some)
            else:
                others.append(some)
        return self._by_presence(mains), others

    def _by_presence(self, groups: list[list[int]]) -> list[list[int]]:
        return sorted(groups, key=lambda numbers: -self.presence(numbers))

    def _similarity(self, some: list[int], others: list[int]) -> float:
        """Cosine of the mean embeddings; 1 if the detector computes none."""
        if self.embedding is None:
            return 1.0
        means = [self.embedding[self.rows_of(numbers)].mean(axis=0) for numbers in (some, others)]
        return float(means[0] @ means[1] / max(np.linalg.norm(means[0]) * np.linalg.norm(means[1]), 1e-12))

    def _gap_px(self, some: list[int], others: list[int]) -> float:
        """Distance of the centres of the first box of `some` and the box of `others` that is nearest in time."""
        first, rows = self.rows_of(some)[0], self.rows_of(others)
        times_s = self.time_s[self.index]
        nearest = rows[np.argmin(np.abs(times_s[rows] - times_s[first]))]
        centres_px = (self.xyxy_px[:, :2] + self.xyxy_px[:, 2:]) / 2
        return float(np.linalg.norm(centres_px[first] - centres_px[nearest]))

    def _distance_along(self, axis: int, one: list[int], other: list[int]) -> float:
        rows, other_rows = self.rows_of(one), self.rows_of(other)
        _, mine, others = np.intersect1d(self.index[rows], self.index[other_rows], return_indices=True)
        centre_px = self.xyxy_px[:, [axis, axis + 2]].mean(axis=1)
        return float(np.median(centre_px[rows[mine]] - centre_px[other_rows[others]]))
