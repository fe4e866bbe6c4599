"""The audio window around a frame, computed by hand."""

import numpy as np

from frame_expressions.media.audio_windows import audio_windows


def test_windows_are_centred_on_the_frames_times():
    samples = np.zeros(100)
    samples[30] = 0.5
    bounds, inside_share, audible = audio_windows(np.array([0.0, 2.0, 2.5, 5.0, 9.8]), samples, 10, 1.0)
    assert bounds.tolist() == [[-10, 10], [10, 30], [15, 35], [40, 60], [88, 108]]
    assert bounds.dtype == np.int64 and inside_share.dtype == np.float32
    assert inside_share.tolist() == np.float32([0.5, 1, 1, 1, 0.6]).tolist()
    assert audible.tolist() == [False, False, True, False, False]


def test_a_window_outside_the_recording_is_empty():
    bounds, inside_share, audible = audio_windows(np.array([30.0]), np.ones(100), 10, 1.0)
    assert bounds.tolist() == [[290, 310]] and inside_share.tolist() == [0] and audible.tolist() == [False]


def test_no_frames():
    bounds, inside_share, audible = audio_windows(np.array([]), np.zeros(1), 16000, 0.5)
    assert bounds.shape == (0, 2) and inside_share.shape == (0,) and audible.shape == (0,)


def test_every_window_has_the_same_length():
    times_s = np.arange(1000) * 1001 / 30000
    bounds, _, _ = audio_windows(times_s, np.zeros(16000), 16000, 0.5)
    assert set(np.diff(bounds, axis=1).ravel()) == {16000}
