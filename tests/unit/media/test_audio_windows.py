"""The audio window around a frame, computed by hand."""

from fractions import Fraction

import numpy as np
import pytest

from frame_expressions.media.audio_windows import (
    audio_windows,
    frames_with_audio,
    window_centres,
    windows_near_samples,
    windows_near_steps,
)


@pytest.mark.parametrize(("rate", "per_s"), [(Fraction(25), 25), (Fraction(30_000, 1001), 30_000 / 1001)])
def test_the_middle_of_a_frame_is_half_an_interval_after_its_time_stamp(rate, per_s):
    time_s = np.array([float(number / rate) for number in range(300)])
    middle = window_centres(time_s, None, "middle")
    assert np.allclose(middle, (np.arange(300) + 0.5) / per_s, rtol=0, atol=1e-9)  # as the authors compute it
    assert window_centres(time_s, None, "start").tolist() == time_s.tolist()


def test_at_a_variable_rate_each_frame_has_its_own_middle():
    time_s = np.array([0.0, 0.1, 0.5, 0.6, 1.6])
    assert window_centres(time_s, None, "middle") == pytest.approx([0.05, 0.3, 0.55, 1.1, 1.6 + 0.25 / 2])
    assert window_centres(time_s, 2.0, "middle") == pytest.approx([0.05, 0.3, 0.55, 1.1, 2.6])
    assert window_centres(time_s, 2.0, "start").tolist() == time_s.tolist()


def test_a_single_frame_has_a_middle_if_its_length_is_known():
    assert window_centres(np.array([0.0]), 3.0, "middle").tolist() == [1.5]
    assert window_centres(np.array([0.0]), None, "middle").tolist() == [0.0]
    assert window_centres(np.zeros(0), None, "middle").tolist() == []


@pytest.mark.parametrize(
    ("state", "missing", "encoded"),
    [
        ("audible", [True, False], [True, True]),
        ("silent", [False] * 2, [True] * 2),
        ("no_audio", [False] * 2, [False] * 2),
    ],
)
def test_which_frames_have_audio(state, missing, encoded):
    audible = np.array([state == "audible", False])
    assert frames_with_audio(audible, state, "missing").tolist() == missing
    assert frames_with_audio(audible, state, "encoded").tolist() == encoded


def test_a_window_without_a_step_takes_the_nearest_and_of_two_equally_near_the_earlier():
    steps = np.array([200.0, 520.0, 840.0])
    windows = np.array(
        [[-900, 100], [-100, 500], [230, 490], [231, 491], [340, 380], [350, 372], [840, 841], [900, 2000]]
    )
    near = windows_near_steps(windows, steps)
    counts = np.diff(np.searchsorted(steps, near))[:, 0]
    first = steps[np.searchsorted(steps, near[:, 0])]
    assert counts.tolist() == [1, 1, 1, 1, 1, 1, 1, 1]
    #                            -400   in     360    361    360    361    in     1450
    assert first.tolist() == [200, 200, 200, 520, 200, 520, 840, 840]
    assert near[[1, 6]].tolist() == windows[[1, 6]].tolist()


def test_a_window_without_a_sample_takes_the_nearest_window_with_one():
    windows = np.array([[-30, -10], [-15, 5], [0, 20], [85, 105], [99, 119], [100, 120], [300, 320]])
    near = windows_near_samples(windows, 100)
    assert near.tolist() == [[-15, 5], [-15, 5], [0, 20], [85, 105], [99, 119], [99, 119], [99, 119]]
    between = np.array([[-40, -20], [120, 140]])
    assert windows_near_samples(between, 100).tolist() == between.tolist()  # no window holds a sample


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
