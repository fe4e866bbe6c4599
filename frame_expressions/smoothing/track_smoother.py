"""Equals a sliding mean, median, Gaussian or vote over each column of a track's logits, then argmax; but is faster.

The plain code is in tests/unit/smoothing/test_smoothing.py (scipy's filters with mode="nearest"). This module shares
the work between the many kinds and windows of a search.

Shapes: T frames of a track, P frames of the track with its ends repeated, C classes, K levels, W frames of a window, M
windows at a time. A window is an odd number of frames, centred on each frame; past the ends of the track the first and
last frame are repeated. Window 1 and kind `none` change nothing.

Where only some frames count, mean and Gaussian are weighted means over those in the window, the median of an even
number of frames is the mean of the middle two, and a window without such a frame takes the logits of the nearest one
(the earlier of two). A repeated end counts if its frame does. Kind `none` still changes nothing.
"""

from collections.abc import Callable
from functools import cached_property

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy import fft

from frame_expressions.fusion.missing import nearest_rows

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

    def __init__(self, logits: np.ndarray, widest_frames: int, counted: np.ndarray | None = None):
        """logits: [T, C], T >= 1. widest_frames: the widest window that `classes` will be called with.

        counted: the frames that count in the windows, bool [T]; all if it is None or holds none.
        """
        self._reach = widest_frames // 2
        columns = np.ascontiguousarray(logits.T)
        self._frames = slice(self._reach, self._reach + len(logits))
        self._logits = np.pad(columns, ((0, 0), (self._reach, self._reach)), mode="edge")  # [C, P], P = T + 2 reach
        self._counted = None  # bool [P], where only some frames count
        self._weighed = self._logits  # 0 where a frame does not count
        if counted is not None and counted.any() and not counted.all():
            self._nearest = nearest_rows(counted)
            self._counted = np.pad(counted, self._reach, mode="edge")
            self._weighed = np.where(self._counted, self._logits, 0)
            columns = np.where(counted, columns, 0)
        # Far above the rounding error of a score, far below the differences between classes.
        self._error = 1e-9 * float(np.abs(columns).max())

    def classes(self, kind: str, window_frames: int) -> np.ndarray:
        """Class [T] int8 of each frame; of equal scores, the lower class.

        `gaussian` has a standard deviation of a quarter of the window; `vote` takes the most frequent class.
        """
        if window_frames < 1 or window_frames % 2 == 0:
            raise ValueError(f"a smoothing window is an odd number of frames, not {window_frames}")
        if kind == "none" or (window_frames == 1 and self._counted is None):
            return self._unsmoothed
        classes = self._smoothed(kind, window_frames)
        if self._counted is None:
            return classes
        return np.where(self._num_in(window_frames) > 0, classes, self._unsmoothed[self._nearest])

    def _smoothed(self, kind: str, window_frames: int) -> np.ndarray:
        """Class [T] int8 of each frame whose window holds one that counts; that of the others is arbitrary."""
        if kind == "vote":
            last, before = self._ends(self._votes, window_frames)
            votes = last - before
            return _lowest(votes == votes.max(axis=0))
        # Within a frame, sums are in the order of means: all classes are divided by the same weight.
        if kind == "mean":
            last, before = self._ends(self._sums, window_frames)
            contends = _highest(last - before, self._error * window_frames)
            return self._settle(contends, self._weighed, window_frames, _sum)
        if kind == "median":
            return self._median(window_frames)
        if kind == "gaussian":
            bell = _bell(window_frames)
            contends = _highest(self._correlate(bell), self._error)
            return self._settle(contends, self._weighed, window_frames, lambda windows: (windows * bell).sum(axis=-1))
        raise ValueError(f"unknown smoothing kind {kind!r}; one of {', '.join(KINDS)}")

    def _median(self, window_frames: int) -> np.ndarray:
        last, before = self._ends(self._above, window_frames)
        below = _num_true(last > before)  # number of levels below the median of each window, [C, T]
        if self._counted is None:
            return self._settle(_highest(below, 0), self._logits, window_frames, _median)
        # Where half of an even number of frames is above a level, the median may be on either side of it.
        contends = _num_true(last >= before) >= below.max(axis=0)
        values = np.where(self._counted, self._logits, np.inf)
        return self._settle(contends, values, window_frames, _median_of_finite)

    @cached_property
    def _unsmoothed(self) -> np.ndarray:
        return self._logits[:, self._frames].argmax(axis=0).astype(np.int8)

    @cached_property
    def _sums_counted(self) -> np.ndarray:
        return _running_sums(self._counted[None], np.int32)[0]

    def _num_in(self, window_frames: int) -> np.ndarray | int:
        """Number of frames that count in each frame's window: [T], or the same number for all."""
        if self._counted is None:
            return window_frames
        last, before = self._ends(self._sums_counted, window_frames)
        return last - before

    @cached_property
    def _sums(self) -> np.ndarray:
        return _running_sums(self._weighed, np.float64)

    @cached_property
    def _votes(self) -> np.ndarray:
        voted = self._logits.argmax(axis=0) == np.arange(len(self._logits))[:, None]
        return _running_sums(voted if self._counted is None else voted & self._counted, np.int32)

    @cached_property
    def _spectrum(self) -> np.ndarray:
        return fft.rfft(self._weighed.astype(np.float64), self._fft_length)

    @property
    def _fft_length(self) -> int:
        return fft.next_fast_len(self._logits.shape[1], real=True)

    @cached_property
    def _above(self) -> np.ndarray:
        """Running sums [K, C, P + 1] of 1 where a logit is above a level and -1 where it is not.

        A frame that does not count adds 0. The levels are dense where they decide between classes: they are quantiles
        of the two highest means of each frame over half the widest window.
        """
        half = self._reach | 1
        last, before = self._ends(self._sums, half)
        highest = np.sort((last - before) / np.maximum(self._num_in(half), 1), axis=0)[-2:]
        levels = np.quantile(highest, np.arange(1, MEDIAN_LEVELS + 1) / (MEDIAN_LEVELS + 1)).astype(self._logits.dtype)
        # The narrowest type that holds the longest sum: comparing them takes most of the time.
        dtype = np.min_scalar_type(-self._logits.shape[1] - 1)
        signs = ((self._logits > level).view(np.int8) * np.int8(2) - np.int8(1) for level in levels)
        if self._counted is not None:
            signs = (sign * self._counted for sign in signs)
        return np.stack([_running_sums(sign, np.int32).astype(dtype) for sign in signs])

    def _ends(self, sums: np.ndarray, window_frames: int) -> tuple[np.ndarray, np.ndarray]:
        """Running sums [..., T] up to the last frame of each frame's window, and up to the one before its first."""
        start = self._reach - window_frames // 2
        length = self._frames.stop - self._frames.start
        return sums[..., start + window_frames :][..., :length], sums[..., start:][..., :length]

    def _correlate(self, weights: np.ndarray) -> np.ndarray:
        """Sums of each frame's window, weighted by symmetric weights [W]: [C, T] float64."""
        reach = len(weights) // 2
        kernel = np.zeros(self._fft_length)
        kernel[np.arange(-reach, reach + 1)] = weights
        # The transform of a symmetric kernel is real. Values that wrap around stay within the repeated end frames.
        return fft.irfft(self._spectrum * fft.rfft(kernel).real, self._fft_length)[:, self._frames]

    def _settle(
        self, contends: np.ndarray, values: np.ndarray, window_frames: int, exact: Callable[[np.ndarray], np.ndarray]
    ) -> np.ndarray:
        """Class [T] int8 of the highest score, computed by `exact` where several contend for it.

        contends: bool [C, T], the classes whose scores are too close to the highest. values: [C, P], what the windows
        hold. exact: maps windows [M, W] of it to scores [M]. Windows in which no frame counts stay unsettled.
        """
        classes = _lowest(contends)
        undecided = np.flatnonzero((_num_true(contends) > 1) & (self._num_in(window_frames) > 0))
        at_once = max(1, SETTLED_AT_ONCE // (len(contends) * window_frames))
        for first in range(0, len(undecided), at_once):
            frames = undecided[first : first + at_once]
            settled = np.full((len(contends), len(frames)), -np.inf)
            which, place = np.nonzero(contends[:, frames])
            windows = sliding_window_view(values, window_frames, axis=1)[:, self._reach - window_frames // 2 :]
            settled[which, place] = exact(windows[which, frames[place]])
            classes[frames] = settled.argmax(axis=0)
        return classes


def _running_sums(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Sums [C, P + 1] of the first 0, 1, ... P of values [C, P]."""
    sums = np.zeros((len(values), values.shape[1] + 1), dtype)
    np.cumsum(values, axis=1, out=sums[:, 1:])
    return sums


def _highest(scores: np.ndarray, error: float) -> np.ndarray:
    """Whether each of scores [C, T] is a frame's highest. error: scores that differ by no more may be in any order."""
    return scores >= scores.max(axis=0) - error


def _num_true(marks: np.ndarray) -> np.ndarray:
    """Number [...] uint8 of True over the first axis, which is short."""
    return marks.sum(axis=0, dtype=np.uint8)


def _lowest(contends: np.ndarray) -> np.ndarray:
    """The lowest class [T] int8 that is True in [C, T]: argmax(axis=0), but several times faster for few rows."""
    ranks = np.arange(len(contends), 0, -1, dtype=np.int8)[:, None]
    return len(contends) - (contends * ranks).max(axis=0)


def _sum(windows: np.ndarray) -> np.ndarray:
    return windows.sum(axis=-1, dtype=np.float64)


def _median(windows: np.ndarray) -> np.ndarray:
    middle = windows.shape[-1] // 2
    return np.partition(windows, middle, axis=-1)[:, middle]


def _median_of_finite(windows: np.ndarray) -> np.ndarray:
    """The median of the values in each window that are not infinite; of an even number, the mean of the middle two."""
    ordered = np.sort(windows, axis=-1).astype(np.float64)
    last = np.isfinite(ordered).sum(axis=-1) - 1
    row = np.arange(len(windows))
    return (ordered[row, last // 2] + ordered[row, (last + 1) // 2]) / 2


def _bell(window_frames: int) -> np.ndarray:
    """Weights [W] of a Gaussian whose standard deviation is a quarter of the window."""
    offsets = np.arange(window_frames) - window_frames // 2
    weights = np.exp(-0.5 * (offsets / (window_frames / 4)) ** 2)
    return weights / weights.sum()
