"""Equals a sliding mean, median, Gaussian or vote over each column of a track's logits, then argmax; but is faster.

The plain code is in tests/unit/smoothing/test_smoothing.py (scipy's filters with mode="nearest"). This module shares
the work between the many kinds and windows of a search.

Shapes: T frames of a track, P frames of the track with its ends repeated, C classes, K levels, W frames of a window, M
windows at a time. A window is an odd number of frames, centred on each frame; past the ends of the track the first and
last frame are repeated. Window 1 and kind `none` change nothing.
"""

from collections.abc import Callable
from functools import cached_property

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy import fft

KINDS = ("none", "mean", "median", "gaussian", "vote")

MEDIAN_LEVELS = 31
"""Number of thresholds that medians are first compared with. More cost more, but leave fewer frames undecided."""

SETTLED_AT_ONCE = 2**21
"""Maximum number of window values that are gathered at a time (16 MiB)."""


class TrackSmoother:
    """Smooths one track with any kind and window; work that the windows share is done once.

    Scores come from running sums or a Fourier transform, so a wide window takes no longer than a narrow one, but they
    have a rounding error. Frames whose two highest scores differ by less than that are decided by the plain formula.
    """

    def __init__(self, logits: np.ndarray, widest_frames: int):
        """logits: [T, C], T >= 1. widest_frames: the widest window that `classes` will be called with."""
        self._reach = widest_frames // 2
        columns = np.ascontiguousarray(logits.T)
        self._frames = slice(self._reach, self._reach + len(logits))
        self._logits = np.pad(columns, ((0, 0), (self._reach, self._reach)), mode="edge")  # [C, P], P = T + 2 reach
        # Far above the rounding error of a score, far below the differences between classes.
        self._error = 1e-9 * float(np.abs(columns).max())

    def classes(self, kind: str, window_frames: int) -> np.ndarray:
        """Class [T] int8 of each frame; of equal scores, the lower class.

        `gaussian` has a standard deviation of a quarter of the window; `vote` takes the most frequent class.
        """
        if window_frames < 1 or window_frames % 2 == 0:
            raise ValueError(f"a smoothing window is an odd number of frames, not {window_frames}")
        if kind == "none" or window_frames == 1:
            return self._logits[:, self._frames].argmax(axis=0).astype(np.int8)
        if kind == "vote":
            last, before = self._ends(self._votes, window_frames)
            votes = last - before
            return _lowest(votes == votes.max(axis=0))
        if kind == "mean":
            last, before = self._ends(self._sums, window_frames)
            return self._settle(last - before, self._error * window_frames, window_frames, _sum)
        if kind == "median":
            return self._settle(self._median_levels(window_frames), 0, window_frames, _median)
        if kind == "gaussian":
            bell = _bell(window_frames)
            scores = self._correlate(bell)
            return self._settle(scores, self._error, window_frames, lambda windows: (windows * bell).sum(axis=-1))
        raise ValueError(f"unknown smoothing kind {kind!r}; one of {', '.join(KINDS)}")

    @cached_property
    def _sums(self) -> np.ndarray:
        return _running_sums(self._logits, np.float64)

    @cached_property
    def _votes(self) -> np.ndarray:
        voted = self._logits.argmax(axis=0) == np.arange(len(self._logits))[:, None]
        return _running_sums(voted, np.int32)

    @cached_property
    def _spectrum(self) -> np.ndarray:
        return fft.rfft(self._logits.astype(np.float64), self._fft_length)

    @property
    def _fft_length(self) -> int:
        return fft.next_fast_len(self._logits.shape[1], real=True)

    @cached_property
    def _above(self) -> np.ndarray:
        """Running sums [K, C, P + 1] of 1 where a logit is above a level and -1 where it is not.

        The levels are dense where they decide between classes: they are quantiles of the two highest means of each
        frame over half the widest window.
        """
        half = self._reach | 1
        last, before = self._ends(self._sums, half)
        highest = np.sort((last - before) / half, axis=0)[-2:]
        levels = np.quantile(highest, np.arange(1, MEDIAN_LEVELS + 1) / (MEDIAN_LEVELS + 1)).astype(self._logits.dtype)
        # The narrowest type that holds the longest sum: comparing them takes most of the time.
        dtype = np.min_scalar_type(-self._logits.shape[1] - 1)
        signs = ((self._logits > level).view(np.int8) * np.int8(2) - np.int8(1) for level in levels)
        return np.stack([_running_sums(sign, np.int32).astype(dtype) for sign in signs])

    def _ends(self, sums: np.ndarray, window_frames: int) -> tuple[np.ndarray, np.ndarray]:
        """Running sums [..., T] up to the last frame of each frame's window, and up to the one before its first."""
        start = self._reach - window_frames // 2
        length = self._frames.stop - self._frames.start
        return sums[..., start + window_frames :][..., :length], sums[..., start:][..., :length]

    def _median_levels(self, window_frames: int) -> np.ndarray:
        """Number of levels below the median of each window: [C, T] uint8."""
        last, before = self._ends(self._above, window_frames)
        return (last > before).sum(axis=0, dtype=np.uint8)

    def _correlate(self, weights: np.ndarray) -> np.ndarray:
        """Sums of each frame's window, weighted by symmetric weights [W]: [C, T] float64."""
        reach = len(weights) // 2
        kernel = np.zeros(self._fft_length)
        kernel[np.arange(-reach, reach + 1)] = weights
        # The transform of a symmetric kernel is real. Values that wrap around stay within the repeated end frames.
        return fft.irfft(self._spectrum * fft.rfft(kernel).real, self._fft_length)[:, self._frames]

    def _settle(
        self, scores: np.ndarray, error: float, window_frames: int, exact: Callable[[np.ndarray], np.ndarray]
    ) -> np.ndarray:
        """Class [T] int8 of the highest score, recomputed by `exact` where several of `scores` [C, T] are too close.

        error: scores that differ by no more may be in the wrong order. exact: maps windows [M, W] to scores [M].
        """
        contends = scores >= scores.max(axis=0) - error
        classes = _lowest(contends)
        undecided = np.flatnonzero(contends.sum(axis=0, dtype=np.uint8) > 1)
        at_once = max(1, SETTLED_AT_ONCE // (len(scores) * window_frames))
        for first in range(0, len(undecided), at_once):
            frames = undecided[first : first + at_once]
            settled = np.full((len(scores), len(frames)), -np.inf)
            which, place = np.nonzero(contends[:, frames])
            windows = sliding_window_view(self._logits, window_frames, axis=1)[:, self._reach - window_frames // 2 :]
            settled[which, place] = exact(windows[which, frames[place]])
            classes[frames] = settled.argmax(axis=0)
        return classes


def _running_sums(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Sums [C, P + 1] of the first 0, 1, ... P of values [C, P]."""
    sums = np.zeros((len(values), values.shape[1] + 1), dtype)
    np.cumsum(values, axis=1, out=sums[:, 1:])
    return sums


def _lowest(contends: np.ndarray) -> np.ndarray:
    """The lowest class [T] int8 that is True in [C, T]: argmax(axis=0), but several times faster for few rows."""
    ranks = np.arange(len(contends), 0, -1, dtype=np.int8)[:, None]
    return len(contends) - (contends * ranks).max(axis=0)


def _sum(windows: np.ndarray) -> np.ndarray:
    return windows.sum(axis=-1, dtype=np.float64)


def _median(windows: np.ndarray) -> np.ndarray:
    middle = windows.shape[-1] // 2
    return np.partition(windows, middle, axis=-1)[:, middle]


def _bell(window_frames: int) -> np.ndarray:
    """Weights [W] of a Gaussian whose standard deviation is a quarter of the window."""
    offsets = np.arange(window_frames) - window_frames // 2
    weights = np.exp(-0.5 * (offsets / (window_frames / 4)) ** 2)
    return weights / weights.sum()
