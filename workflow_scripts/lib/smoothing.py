"""The choice of a smoothing over time: its kinds and windows, what it does to tracks, and the search for the best.

Shapes: T frames of a track, N of all tracks, C classes.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from workflow_scripts.lib.artifacts import read_json
from workflow_scripts.lib.challenge.expressions import NUM_CLASSES
from workflow_scripts.lib.challenge.scores import confusion_of, macro_f1_of
from workflow_scripts.lib.logits import LabelledLogits
from workflow_scripts.lib.track_smoother import TrackSmoother


@dataclass(frozen=True)
class Smoothing:
    """A kind and its window.

    windows_at_fps: frames a second at which `window_frames` counts, so that it lasts as long in every video; None
    counts each video's own frames.
    """

    kind: str
    window_frames: int
    windows_at_fps: float | None

    @classmethod
    def read(cls, best: Path) -> "Smoothing":
        """The choice that a smoothing search wrote."""
        chosen = read_json(best)
        return cls(chosen["kind"], chosen["window_frames"], chosen["windows_at_fps"])

    def classes(self, logits: np.ndarray, time_s: np.ndarray) -> np.ndarray:
        """Class [T] int8 of every frame of a track, from its logits [T, C] and its frames' times [T]."""
        return smooth_logits(logits, self.kind, self.frames_of(frame_interval_s(time_s)))

    def frames_of(self, interval_s: float | None) -> int:
        """The window in frames of a track: the odd number that lasts nearest to `window_frames` at `windows_at_fps`.

        interval_s: time from one frame of the track to the next, None if it has but one.
        """
        if self.windows_at_fps is None or interval_s is None:
            return self.window_frames
        frames = self.window_frames / self.windows_at_fps / interval_s
        return max(1, 2 * round((frames - 1) / 2) + 1)


NO_SMOOTHING = Smoothing("none", 1, None)


def frame_interval_s(time_s: np.ndarray) -> float | None:
    """The usual time from one frame of a track to the next, from their times [T]; None for less than two frames."""
    return float(np.median(np.diff(time_s))) if len(time_s) > 1 else None


def smooth_logits(logits: np.ndarray, kind: str, window_frames: int) -> np.ndarray:
    """Smooth a track's [T, C] and return each frame's class [T] int8, as `TrackSmoother.classes` does."""
    if len(logits) == 0:
        return np.zeros(0, dtype=np.int8)
    return TrackSmoother(logits, window_frames).classes(kind, window_frames)


def smooth_tracks(frames: LabelledLogits, smoothing: Smoothing) -> np.ndarray:
    """Class [N] int8 of all frames, each track smoothed by itself."""
    return np.concatenate([smoothing.classes(logits, frames.time_s[track]) for track, logits in frames.logits.items()])


def smoothing_candidates(kinds: Sequence[str], windows: Sequence[int], windows_at_fps: float | None) -> list[Smoothing]:
    """Every kind and window to try, no smoothing first."""
    tried = [Smoothing(kind, window_frames, windows_at_fps) for kind in kinds for window_frames in windows]
    return [NO_SMOOTHING, *tried]


def search(
    frames: LabelledLogits, candidates: Sequence[Smoothing], watch: Callable[[Iterable], Iterable] = iter
) -> list[tuple[Smoothing, float]]:
    """Each candidate and its macro-F1 over the labelled frames.

    watch: shows progress, passing on the tracks that it is given. Raises InputError when no frame is labelled.
    """
    counts = np.zeros((len(candidates), NUM_CLASSES, NUM_CLASSES), dtype=np.int64)
    start = 0
    for track, logits in watch(frames.logits.items()):
        expression = frames.expression[start : start + len(logits)]
        start += len(logits)
        interval_s = frame_interval_s(frames.time_s[track])
        windows = [smoothing.frames_of(interval_s) for smoothing in candidates]
        smoother = TrackSmoother(logits, max(windows))
        for number, (smoothing, window_frames) in enumerate(zip(candidates, windows, strict=True)):
            counts[number] += confusion_of(expression, smoother.classes(smoothing.kind, window_frames))
    return [(smoothing, macro_f1_of(counted)) for smoothing, counted in zip(candidates, counts, strict=True)]


def best_smoothing(scored: Iterable[tuple[Smoothing, float]]) -> tuple[Smoothing, float]:
    """The row of `search` with the highest macro-F1; of equals the smallest window, of these the first."""
    return min(scored, key=lambda row: (-row[1], row[0].window_frames))
