"""The choice of a smoothing over time: its kinds and windows, what it does to tracks, and the search for the best.

Shapes: T frames of a track, N of all tracks, C classes.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from frame_expressions.artifacts.logits import LabelledLogits
from frame_expressions.artifacts.text import read_json
from frame_expressions.smoothing.track_smoother import TrackSmoother


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
    """Class [N] int8 of all frames, each track smoothed separately."""
    return np.concatenate([smoothing.classes(logits, frames.time_s[track]) for track, logits in frames.logits.items()])
