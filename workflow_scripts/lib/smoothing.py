"""Smoothing of one track's logits over time.

Shapes: T frames, C classes. A window is an odd number of frames centred on each; past the ends the first and
last frame are repeated. Window 1 and kind `none` change nothing.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from scipy import ndimage

from workflow_scripts.lib.challenge.scores import macro_f1

KINDS = ("none", "mean", "median", "gaussian", "vote")


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


def smoothing_candidates(kinds: Sequence[str], windows: Sequence[int]) -> list[tuple[str, int]]:
    """Every (kind, window) to try, no smoothing first."""
    return [("none", 1)] + [(kind, window_frames) for kind in kinds for window_frames in windows]


def search(
    tracks: Sequence[np.ndarray], expression: np.ndarray, candidates: Iterable[tuple[str, int]]
) -> Iterator[tuple[str, int, float]]:
    """Score each (kind, window) on tracks' logits [T, C] against all their classes [N], end to end.

    Yields kind, window and macro-F1 over the labelled frames.
    """
    for kind, window_frames in candidates:
        predicted = np.concatenate([smooth_logits(logits, kind, window_frames) for logits in tracks])
        yield kind, window_frames, macro_f1(expression, predicted)


def best_smoothing(scored: Iterable[tuple[str, int, float]]) -> tuple[str, int, float]:
    """The row of `search` with the highest macro-F1; of equals the smallest window, of these the first."""
    return min(scored, key=lambda row: (-row[2], row[1]))


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
