"""Puts decoded audio where its time stamps say, however irregular they are.

Shapes: K decoded frames, M decoded samples, N samples of the aligned audio, all 16 kHz.
"""

import logging
import tempfile
from itertools import pairwise

import numpy as np

from frame_expressions.media.audio_decoder import SAMPLE_RATE, Block

LARGEST_SLIP_S = 0.005
"""A step between stamps and samples of more than this is a gap or an overlap, and more drift is followed."""

STEADY_S = 1.0
"""Stamps are compared with their median over this time to both sides, so that jitter cuts nothing."""

_KNOT_S = 5.0  # between the points at which drift is measured


class Recording:
    """Decoded audio in a temporary file, and the stamps of its frames."""

    def __init__(self):
        self._file = tempfile.TemporaryFile()
        self._stamps_s: list[np.ndarray] = []
        self._starts: list[np.ndarray] = []
        self.num_samples, self.failures, self.num_cancelled = 0, (0, ""), 0

    def __enter__(self) -> "Recording":
        return self

    def __exit__(self, *_) -> None:
        self._file.close()

    def add(self, block: Block) -> None:
        """Append a block."""
        self._file.write(block.samples.tobytes())
        self._stamps_s.append(block.stamps_s)
        self._starts.append(block.starts)
        self.num_samples += len(block.samples)
        self.failures, self.num_cancelled = block.failures, block.num_cancelled

    @property
    def samples(self) -> np.ndarray:
        """int16 [M], on disk."""
        self._file.flush()
        return np.memmap(self._file, np.int16, "r", shape=(self.num_samples,))

    @property
    def stamps_s(self) -> np.ndarray:
        """The stamp of each frame, [K], NaN if it has none."""
        return np.concatenate(self._stamps_s)

    @property
    def starts(self) -> np.ndarray:
        """The number of each frame's first sample, int64 [K]."""
        return np.concatenate(self._starts)


def align(recording: Recording, start_s: float, num_samples: int) -> tuple[np.ndarray, tuple[int, int]]:
    """The samples that belong to `num_samples` samples from `start_s` on, int16 [N]; silence where there are none.

    And the first and the end of those that were recorded, (0, 0) if none was; gaps between them count as recorded.
    Jitter of the stamps moves nothing. Where the stamps jump, audio is left out or silence inserted; where they drift
    away from the samples, the audio is stretched or compressed to follow them.
    """
    aligned = np.memmap(tempfile.TemporaryFile(), np.int16, "w+", shape=(num_samples,))
    samples, starts = recording.samples, recording.starts
    recorded = 0, 0
    if len(starts) == 0:
        return aligned, recorded
    late_s = _known(recording.stamps_s - starts / SAMPLE_RATE) - start_s
    steady_s = _running_median(late_s, starts)
    cuts = 1 + np.flatnonzero(np.abs(np.diff(steady_s)) > LARGEST_SLIP_S)
    filled = 0  # up to here
    for first, end in pairwise([0, *cuts.tolist(), len(starts)]):
        begins, ends = starts[first], starts[end] if end < len(starts) else len(samples)
        offset_s = late_s[first]
        if np.abs(steady_s[first:end] - offset_s).max() > LARGEST_SLIP_S:
            offset_s = np.median(steady_s[first:end])
        part, place = samples[begins:ends], round(begins + offset_s * SAMPLE_RATE)
        if np.abs(steady_s[first:end] - offset_s).max() > LARGEST_SLIP_S:
            part, place = _follow(part, starts[first:end] - begins, steady_s[first:end], begins)
        _describe(place, filled, first == 0)
        over_s = (place + len(part) - num_samples) / SAMPLE_RATE
        part = part[max(0, filled - place) :]
        place = max(place, filled)
        part = part[: max(0, num_samples - place)]
        aligned[place : place + len(part)] = part
        if len(part):
            recorded = (recorded[0] if recorded[1] else place), place + len(part)
        filled = max(filled, place + len(part))
    if filled < num_samples:
        logging.info("the last %.3f s have no audio: padded with silence", (num_samples - filled) / SAMPLE_RATE)
    elif over_s > 0:
        logging.info("the audio continues for at least %.3f s after the last frame: cut", over_s)
    return aligned, recorded


def _known(late_s: np.ndarray) -> np.ndarray:
    """Replace NaN in [K] by the last known value, at the beginning by the first known one, else by 0."""
    known = np.flatnonzero(~np.isnan(late_s))
    if len(known) == 0:
        return np.zeros(len(late_s))
    return late_s[known[np.maximum(np.searchsorted(known, np.arange(len(late_s)), side="right") - 1, 0)]]


def _running_median(late_s: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """The median of [K] over STEADY_S of audio to both sides; a lasting step stays where it is."""
    from scipy.ndimage import median_filter

    frame_s = np.median(np.diff(starts)) / SAMPLE_RATE if len(starts) > 1 else STEADY_S
    reach = max(1, round(STEADY_S / max(frame_s, 1 / SAMPLE_RATE)))
    if np.ptp(late_s) <= LARGEST_SLIP_S:
        return late_s
    return median_filter(late_s, 2 * reach + 1, mode="nearest")


def _follow(part: np.ndarray, starts: np.ndarray, late_s: np.ndarray, begins: int) -> tuple[np.ndarray, int]:
    """Stretch or compress a part [P] so that each sample comes where the drifting stamps say, and its first place.

    starts: of its frames within the part, [K]. late_s: how late their stamps are, [K].
    """
    knots = np.append(np.arange(0, len(part), round(_KNOT_S * SAMPLE_RATE)), len(part))
    places = begins + knots + np.interp(knots, starts, late_s) * SAMPLE_RATE
    first, end = round(places[0]), round(places[-1])
    came_from = np.interp(np.arange(first, end), places, knots)
    logging.info("the audio drifts by %+.3f s: its speed is adapted", late_s[-1] - late_s[0])
    below = np.clip(came_from.astype(np.int64), 0, len(part) - 1)
    above = np.minimum(below + 1, len(part) - 1)
    share = came_from - below
    return np.round((1 - share) * part[below] + share * part[above]).astype(np.int16), first


def _describe(place: int, filled: int, is_first: bool) -> None:
    gap_s = (place - filled) / SAMPLE_RATE
    if is_first and gap_s > LARGEST_SLIP_S:
        logging.info("the first %.3f s have no audio: padded with silence", gap_s)
    elif is_first and gap_s < -LARGEST_SLIP_S:
        logging.info("the audio starts %.3f s before the first frame: cut", -gap_s)
    elif gap_s > 0:
        logging.info("at %.3f s, %.3f s have no audio: filled with silence", filled / SAMPLE_RATE, gap_s)
    elif gap_s < 0:
        logging.info("at %.3f s, %.3f s of audio overlap: left out", filled / SAMPLE_RATE, -gap_s)
