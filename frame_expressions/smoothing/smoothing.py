"""Smoothing over time: a choice of kind and window, and its application to tracks.

Shapes: T frames of a track, N of all tracks, C classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from frame_expressions.artifacts.logits import LabelledLogits
from frame_expressions.artifacts.text import read_json
from frame_expressions.smoothing.track_smoother import TrackSmoother

INCLUDE, EXCLUDE = "include", "exclude"


@dataclass(frozen=True)
class Smoothing:
    """A kind of smoothing and its window.

    kind: one of `track_smoother.KINDS`. window_frames: odd. windows_at_fps: the frame rate that `window_frames` refers
    to, so that the window has the same duration in every video; None counts each video's own frames. imputed: INCLUDE,
    or EXCLUDE to leave frames out of the windows whose features or logits come from another frame.
    """

    kind: str
    window_frames: int
    windows_at_fps: float | None
    imputed: str = INCLUDE

    @classmethod
    def read(cls, best: Path) -> "Smoothing":
        """The choice of a smoothing search, from its best.json."""
        chosen = read_json(best)
        return cls(**{name: chosen[name] for name in ("kind", "window_frames", "windows_at_fps", "imputed")})

    @classmethod
    def read_all(cls, best: Sequence[Path], num_folds: int) -> list["Smoothing"]:
        """The smoothing of each fold, from one best.json for each, or from one for all."""
        read = [cls.read(path) for path in best]
        return read * num_folds if len(read) == 1 else read

    def classes(self, logits: np.ndarray, time_s: np.ndarray, imputed: np.ndarray) -> np.ndarray:
        """Class [T] int8 of each frame of a track, from its logits [T, C] and the times of its frames [T].

        imputed: bool [T], the frames whose features or logits come from another frame.
        """
        return smooth_logits(logits, self.kind, self.frames_of(frame_interval_s(time_s)), self.counted(imputed))

    def counted(self, imputed: np.ndarray) -> np.ndarray | None:
        """The frames that count in the windows, bool [T], or None for all."""
        return ~imputed if self.imputed == EXCLUDE else None

    def frames_of(self, interval_s: float | None) -> int:
        """The window in frames of a track: the odd number whose duration is nearest to the setting's.

        interval_s: time between two frames of the track, None if it has fewer than two.
        """
        if self.windows_at_fps is None or interval_s is None:
            return self.window_frames
        frames = self.window_frames / self.windows_at_fps / interval_s
        return max(1, 2 * round((frames - 1) / 2) + 1)


NO_SMOOTHING = Smoothing("none", 1, None)


def frame_interval_s(time_s: np.ndarray) -> float | None:
    """The median time between two frames of a track, from their times [T]; None for fewer than two frames."""
    return float(np.median(np.diff(time_s))) if len(time_s) > 1 else None


def smooth_logits(logits: np.ndarray, kind: str, window_frames: int, counted: np.ndarray | None = None) -> np.ndarray:
    """Class [T] int8 of each frame of a track after smoothing its logits [T, C]; see `TrackSmoother`."""
    if len(logits) == 0:
        return np.zeros(0, dtype=np.int8)
    return TrackSmoother(logits, window_frames, counted).classes(kind, window_frames)


def smooth_tracks(frames: LabelledLogits, smoothing: Smoothing) -> np.ndarray:
    """Class [N] int8 of all frames, each track smoothed separately."""
    classes = [
        smoothing.classes(logits, frames.time_s[track], frames.imputed[track])
        for track, logits in frames.logits.items()
    ]
    return np.concatenate(classes)
