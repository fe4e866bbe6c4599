"""The search for the best smoothing over time.

Shapes: T frames of a track, N of all tracks, C classes.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from frame_expressions.artifacts.logits import LabelledLogits
from frame_expressions.artifacts.vocabulary import NUM_CLASSES
from frame_expressions.challenge.scores import confusion_of, macro_f1_of
from frame_expressions.smoothing.smoothing import NO_SMOOTHING, Smoothing, frame_interval_s
from frame_expressions.smoothing.track_smoother import KINDS, TrackSmoother


@dataclass(frozen=True)
class SmoothingSearchSettings:
    """The block `smoothing` of the configuration: the kinds and windows to try, see `Smoothing`."""

    kinds: list[str]
    windows: list[int]
    windows_at_fps: float | None
    imputed: str

    @property
    def candidates(self) -> list[Smoothing]:
        """Every kind with every window, preceded by no smoothing."""
        same = self.windows_at_fps, self.imputed
        return [NO_SMOOTHING, *(Smoothing(kind, window, *same) for kind in self.kinds for window in self.windows)]

    def choose(self, scored: Iterable[tuple[Smoothing, float]]) -> tuple[Smoothing, float]:
        """The row of `search` that is applied: the best one."""
        return best_smoothing(scored)


@dataclass(frozen=True)
class FixedSmoothingSettings:
    """The block `cross_validation.paper.smoothing`: a smoothing that does not depend on its score; see `Smoothing`."""

    kind: str
    window_frames: int
    imputed: str
    windows_at_fps: ClassVar[float | None] = None  # as published, in each video's own frames

    @property
    def candidates(self) -> list[Smoothing]:
        """Every kind with this window, preceded by no smoothing: what the fixed one is compared with."""
        return every_kind(self.window_frames, self.imputed)

    def choose(self, scored: Iterable[tuple[Smoothing, float]]) -> tuple[Smoothing, float]:
        """The row of `search` that is applied: the fixed one."""
        return next(row for row in scored if row[0].kind == self.kind)


def every_kind(window_frames: int, imputed: str) -> list[Smoothing]:
    """No smoothing, and every kind over one window, in each video's own frames, as the authors compare them."""
    return [NO_SMOOTHING, *(Smoothing(kind, window_frames, None, imputed) for kind in KINDS if kind != "none")]


def search(
    frames: LabelledLogits, candidates: Sequence[Smoothing], progress: Callable[[Iterable], Iterable] = iter
) -> list[tuple[Smoothing, float]]:
    """Each candidate and its macro-F1 over the labelled frames.

    progress: wraps the tracks to show how many are done. Raises InputError if no frame is labelled.
    """
    counts = np.zeros((len(candidates), NUM_CLASSES, NUM_CLASSES), dtype=np.int64)
    one_of = {smoothing.imputed: smoothing for smoothing in candidates}
    start = 0
    for track, logits in progress(frames.logits.items()):
        labels = frames.labels[start : start + len(logits)]
        start += len(logits)
        interval_s = frame_interval_s(frames.time_s[track])
        windows = [smoothing.frames_of(interval_s) for smoothing in candidates]
        smoother_of = {
            imputed: TrackSmoother(logits, max(windows), smoothing.counted(frames.imputed[track]))
            for imputed, smoothing in one_of.items()
        }
        for number, (smoothing, window_frames) in enumerate(zip(candidates, windows, strict=True)):
            classes = smoother_of[smoothing.imputed].classes(smoothing.kind, window_frames)
            counts[number] += confusion_of(labels, classes)
    return [(smoothing, macro_f1_of(counted)) for smoothing, counted in zip(candidates, counts, strict=True)]


def best_smoothing(scored: Iterable[tuple[Smoothing, float]]) -> tuple[Smoothing, float]:
    """The row of `search` with the highest macro-F1; of equal ones the smallest window, then the first."""
    return min(scored, key=lambda row: (-row[1], row[0].window_frames))
