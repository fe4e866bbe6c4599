"""Smoothing of one track's logits over time.

Shapes: T frames of a track, N of all tracks, C classes. A window is an odd number of frames centred on each; past the
ends the first and last frame are repeated. Window 1 and kind `none` change nothing.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage

from workflow_scripts.lib.challenge.scores import macro_f1
from workflow_scripts.lib.logits import LabelledLogits

KINDS = ("none", "mean", "median", "gaussian", "vote")


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
        chosen = json.loads(best.read_text())
        return cls(chosen["kind"], chosen["window_frames"], chosen["windows_at_fps"])

    def classes(self, logits: np.ndarray, time_s: np.ndarray) -> np.ndarray:
        """Class [T] int8 of every frame of a track, from its logits [T, C] and its frames' times [T]."""
        return smooth_logits(logits, self.kind, self.frames_of(time_s))

    def frames_of(self, time_s: np.ndarray) -> int:
        """The window in frames of a track: the odd number that lasts nearest to `window_frames` at `windows_at_fps`."""
        if self.windows_at_fps is None or len(time_s) < 2:
            return self.window_frames
        frames = self.window_frames / self.windows_at_fps / np.median(np.diff(time_s))
        return max(1, 2 * round((frames - 1) / 2) + 1)


NO_SMOOTHING = Smoothing("none", 1, None)


def smooth_logits(logits: np.ndarray, kind: str, window_frames: int) -> np.ndarray:
    """Smooth [T, C] and return each frame's class [T] int8; on a tie the lower class wins.

    `gaussian` has a standard deviation of a quarter of the window; `vote` takes the most frequent class.
    """
    if window_frames < 1 or window_frames % 2 == 0:
        raise ValueError(f"a smoothing window is an odd number of frames, not {window_frames}")
    if len(logits) == 0:
        return np.zeros(0, dtype=np.int8)
    if kind == "vote":
        votes = np.eye(logits.shape[1], dtype=np.int32)[logits.argmax(axis=1)]
        # Integer sums, so that equal counts compare equal.
        scores = ndimage.correlate1d(votes, np.ones(window_frames, np.int32), axis=0, mode="nearest")
    else:
        scores = _filtered(np.asarray(logits, dtype=np.float64), kind, window_frames)
    return scores.argmax(axis=1).astype(np.int8)


def smooth_tracks(frames: LabelledLogits, smoothing: Smoothing) -> np.ndarray:
    """Class [N] int8 of all frames, each track smoothed by itself."""
    return np.concatenate([smoothing.classes(logits, frames.time_s[track]) for track, logits in frames.logits.items()])


def smoothing_candidates(kinds: Sequence[str], windows: Sequence[int], windows_at_fps: float | None) -> list[Smoothing]:
    """Every kind and window to try, no smoothing first."""
    tried = [Smoothing(kind, window_frames, windows_at_fps) for kind in kinds for window_frames in windows]
    return [NO_SMOOTHING, *tried]


def search(frames: LabelledLogits, candidates: Iterable[Smoothing]) -> Iterator[tuple[Smoothing, float]]:
    """Yield each candidate and its macro-F1 over the labelled frames."""
    for smoothing in candidates:
        yield smoothing, macro_f1(frames.expression, smooth_tracks(frames, smoothing))


def best_smoothing(scored: Iterable[tuple[Smoothing, float]]) -> tuple[Smoothing, float]:
    """The row of `search` with the highest macro-F1; of equals the smallest window, of these the first."""
    return min(scored, key=lambda row: (-row[1], row[0].window_frames))


def _filtered(logits: np.ndarray, kind: str, window_frames: int) -> np.ndarray:
    if kind == "none" or window_frames == 1:
        return logits
    if kind == "mean":
        return ndimage.uniform_filter1d(logits, window_frames, axis=0, mode="nearest")
    if kind == "median":
        columns = [ndimage.median_filter(column, window_frames, mode="nearest") for column in logits.T]
        return np.stack(columns, axis=1)
    if kind == "gaussian":
        return ndimage.gaussian_filter1d(logits, window_frames / 4, axis=0, mode="nearest", radius=window_frames // 2)
    raise ValueError(f"unknown smoothing kind {kind!r}; one of {', '.join(KINDS)}")
