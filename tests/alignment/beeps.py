"""Beeps that are identified by their pitch and centred on the time of a known frame."""

from collections.abc import Sequence

import numpy as np

PITCHES_HZ = (600, 850, 1200, 1700, 2400)
LENGTH_S = 0.06
SPREAD_S = 0.005  # over which loudness is averaged
LOUD_SHARE = 0.15  # of the loudest moment; louder audio is part of a beep
SHORTEST_S, LONGEST_S = 0.02, 0.1


class Unheard(ValueError):
    """Audio that does not consist of beeps as drawn."""


def draw(times_s: Sequence[float], hz: int, start_s: float, end_s: float) -> np.ndarray:
    """Audio from `start_s` to `end_s` with one beep around each time, float64 [N] in [-0.5, 0.5].

    The beeps have the pitches in turn; all times are on one clock.
    """
    t = start_s + np.arange(round((end_s - start_s) * hz)) / hz
    audio = np.zeros(len(t))
    for time_s, pitch in zip(times_s, PITCHES_HZ, strict=True):
        shape = np.where(np.abs(t - time_s) < LENGTH_S / 2, np.cos(np.pi * (t - time_s) / LENGTH_S) ** 2, 0)
        audio += 0.5 * shape * np.sin(2 * np.pi * pitch * (t - time_s))
    return audio


def is_within(time_s: float, start_s: float, end_s: float) -> bool:
    """Whether audio from `start_s` to `end_s` contains the whole beep around `time_s`."""
    return start_s <= time_s - LENGTH_S / 2 and time_s + LENGTH_S / 2 <= end_s


def find(samples: np.ndarray, hz: int) -> list[tuple[int, float]]:
    """Every beep of a recording [N]: the index of its pitch, and its middle in s from the first sample.

    Raises Unheard if a loud part is not a beep.
    """
    power = samples.astype(float) ** 2
    spread = round(SPREAD_S * hz)
    loudness = np.sqrt(np.convolve(power, np.ones(spread) / spread, mode="same"))
    if loudness.max(initial=0) == 0:
        return []
    loud = np.flatnonzero(loudness > LOUD_SHARE * loudness.max())
    return [_beep(samples, power, part, hz) for part in np.split(loud, np.flatnonzero(np.diff(loud) > 2 * spread) + 1)]


def _beep(samples: np.ndarray, power: np.ndarray, part: np.ndarray, hz: int) -> tuple[int, float]:
    start, end = part[0], part[-1] + 1
    if not SHORTEST_S <= (end - start) / hz <= LONGEST_S:
        raise Unheard(f"something loud lasts {(end - start) / hz:.3f} s at {start / hz:.3f} s")
    middle_s = np.average(np.arange(start, end), weights=power[start:end]) / hz
    spectrum = np.abs(np.fft.rfft(samples[start:end] * np.hanning(end - start), hz))  # padded to 1 s: steps of 1 Hz
    ratios = np.log(np.argmax(spectrum) / np.array(PITCHES_HZ))
    which = int(np.argmin(np.abs(ratios)))
    if abs(ratios[which]) > 0.05:
        raise Unheard(f"a beep at {middle_s:.3f} s has {np.argmax(spectrum)} Hz, which is no pitch that was drawn")
    return which, middle_s
