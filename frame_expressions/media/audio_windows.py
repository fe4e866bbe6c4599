"""The window of audio around a frame."""

import numpy as np


def audio_windows(
    time_s: np.ndarray, samples: np.ndarray, sample_rate: int, half_width_s: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Windows of equal length, one centred on each frame's time.

    time_s: float [T], 0 at the first sample. samples: [N]. half_width_s: seconds of audio before and after a frame's
    time.
    Returns bounds, int64 [T, 2], half open, which may be outside the recording; inside_share, float32 [T], the share
    of the window inside it; audible, bool [T], whether a sample of the window is not 0.
    """
    half = round(half_width_s * sample_rate)
    centre = np.round(time_s * sample_rate).astype(np.int64)
    bounds = np.stack([centre - half, centre + half], axis=1)
    inside = np.clip(bounds, 0, len(samples))
    audible_before = np.concatenate([[0], np.cumsum(samples != 0)])
    audible = audible_before[inside[:, 1]] > audible_before[inside[:, 0]]
    return bounds, ((inside[:, 1] - inside[:, 0]) / (2 * half)).astype(np.float32), audible
