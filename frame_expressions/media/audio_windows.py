"""The window of audio around a frame.

Shapes: T frames of a video, R windows, N samples, K hidden steps of an encoder.
"""

import numpy as np

from frame_expressions.artifacts.vocabulary import NO_AUDIO
from frame_expressions.media.timeline import duration_s


def window_centres(time_s: np.ndarray, last_s: float | None, window_centre: str) -> np.ndarray:
    """The time on which each frame's window is centred, float64 [T].

    time_s: the timeline [T]. last_s: length of the last frame, see `timeline.read_last_s`. window_centre: see
    `audio.AudioSettings`. The middle of a single frame of unknown length is its time stamp.
    """
    if window_centre == "start" or len(time_s) == 0 or (len(time_s) == 1 and last_s is None):
        return time_s
    return (time_s + np.append(time_s[1:], duration_s(time_s, last_s))) / 2


def audio_windows(
    centre_s: np.ndarray, samples: np.ndarray, sample_rate: int, half_width_s: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Windows of equal length, one for each frame.

    centre_s: float [T], from the first sample, see `window_centres`. samples: [N]. half_width_s: seconds of audio
    before and after the centre.
    Returns bounds, int64 [T, 2], half open, which may be outside the recording; inside_share, float32 [T], the share
    of the window inside it; audible, bool [T], whether a sample of the window is not 0.
    """
    half = round(half_width_s * sample_rate)
    centre = np.round(centre_s * sample_rate).astype(np.int64)
    bounds = np.stack([centre - half, centre + half], axis=1)
    inside = np.clip(bounds, 0, len(samples))
    audible_before = np.concatenate([[0], np.cumsum(samples != 0)])
    audible = audible_before[inside[:, 1]] > audible_before[inside[:, 0]]
    return bounds, ((inside[:, 1] - inside[:, 0]) / (2 * half)).astype(np.float32), audible


def frames_with_audio(audible: np.ndarray, state: str, silence: str) -> np.ndarray:
    """Which frames of a video have an audio feature, bool [T].

    audible: of their windows, [T]. state: of the video's audio, one of AUDIO_STATES. silence: see
    `audio.AudioSettings`.
    """
    return np.full(len(audible), state != NO_AUDIO) if silence == "encoded" else audible


def windows_near_steps(windows: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Windows [R, 2], int64; in place of one without a hidden step, a window of one sample that holds the nearest.

    steps: position of each step in samples, [K], increasing, K >= 1. The earlier of two equally near steps is taken.
    Source: the authors' alignment.
    """
    first, end = np.searchsorted(steps, windows).T
    nearest = np.floor(steps[_nearest(steps, windows.mean(axis=1))]).astype(np.int64)
    return np.where((first == end)[:, None], np.stack([nearest, nearest + 1], axis=1), windows)


def windows_near_samples(windows: np.ndarray, num_samples: int) -> np.ndarray:
    """Windows [R, 2], int64, increasing; in place of one outside the recording, the nearest one that is not outside.

    If all are outside, they stay where they are.
    """
    holding = np.flatnonzero((windows[:, 0] < num_samples) & (windows[:, 1] > 0))
    if len(holding) == 0:
        return windows
    # A window that holds samples is the nearest to itself.
    return windows[holding[_nearest(windows[holding, 0], windows[:, 0])]]


def _nearest(places: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Index of the nearest of `places` [K], increasing, to each of `wanted` [R]; the earlier of two equally near."""
    after = np.clip(np.searchsorted(places, wanted), 0, len(places) - 1)
    before = np.maximum(after - 1, 0)
    return np.where(np.abs(wanted - places[before]) <= np.abs(places[after] - wanted), before, after)
