"""The persons of one video, built from linked detections.

Shapes: T frames of the timeline, F detections of all persons.
"""

from dataclasses import dataclass
from functools import cached_property, cmp_to_key

import numpy as np

SIMILAR_SIZE = 0.5  # of the main person's side: smaller faces are bystanders or false detections
MAIN_SHARE = 2 / 3  # of the first main person's frames: passers-by and false detections are seen less


@dataclass(frozen=True)
class Persons:
    """The linked detections of one video.

    time_s: float [T], rising. index: int [F], the 0-based row of the timeline, rising. xyxy_px: float [F, 4].
    person: int [F], see `tracking.track_detections`. embedding: float [F, D], or None without identities.
    min_similarity: minimum cosine of the mean embeddings of two persons that may be one.
    """

    time_s: np.ndarray
    index: np.ndarray
    xyxy_px: np.ndarray
    person: np.ndarray
    embedding: np.ndarray | None = None
    min_similarity: float = 0.0

    @cached_property
    def side_px(self) -> np.ndarray:
        """The longer side of each box, float [F]."""
        return (self.xyxy_px[:, 2:] - self.xyxy_px[:, :2]).max(axis=1, initial=0)

    @cached_property
    def mains(self) -> list[list[int]]:
        """The numbers of each main person, ranked by presence (box size summed over frames).

        If the detector computes no identities, tracking gives a person who was away or hidden a new number. Main
        persons have faces of similar size, and each is seen in a frame with every other; from the third on they are
        also seen in at least `MAIN_SHARE` of the first one's frames. Any other number with a face of similar size is a
        piece of the main person that it `may_be`; of several, the one with the nearest box.
        """
        return self._mains_and_others[0]

    @cached_property
    def others(self) -> list[list[int]]:
        """The other persons, one number each, ranked by presence: bystanders and passers-by."""
        return self._mains_and_others[1]

    def rows_of(self, numbers: list[int]) -> np.ndarray:
        """Rows of these numbers' detections."""
        return np.flatnonzero(np.isin(self.person, numbers))

    def seen_together(self, some: list[int], others: list[int]) -> bool:
        """Whether any frame shows one of `some` together with one of `others`."""
        return bool(np.isin(self.index[self.rows_of(some)], self.index[self.rows_of(others)]).any())

    def may_be(self, some: list[int], others: list[int]) -> bool:
        """Whether `some` may be a lost piece of `others`: no frame shows both, and their faces are similar."""
        return not self.seen_together(some, others) and self._similarity(some, others) >= self.min_similarity

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
    def _mains_and_others(self) -> tuple[list[list[int]], list[list[int]]]:
        order = self._by_presence([[number] for number in np.unique(self.person).tolist()])
        mains, rest = order[:1], []
        for some in order[1:]:
            is_passing = len(self.rows_of(some)) < MAIN_SHARE * len(self.rows_of(order[0]))
            with_all = all(self.seen_together(some, main) for main in mains)
            if self.is_similar_size(some, order[0]) and with_all and not (is_passing and len(mains) > 1):
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
        """Ranked by presence: the longer sides of the boxes summed over the frames, the largest sum first."""
        return sorted(groups, key=lambda numbers: -self.side_px[self.rows_of(numbers)].sum())

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
