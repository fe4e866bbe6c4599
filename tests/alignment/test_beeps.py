"""Beeps are found where they were drawn."""

import numpy as np
import pytest

from tests.alignment.beeps import PITCHES_HZ, Unheard, draw, find, is_within

TIMES_S = (0.2, 0.6, 1.0, 1.5, 1.9)


@pytest.mark.parametrize("hz", [8000, 16000, 48000])
def test_every_beep_is_found_at_its_time(hz):
    heard = find(draw(TIMES_S, hz, 0.0, 2.2), hz)
    assert [which for which, _ in heard] == [0, 1, 2, 3, 4]
    assert [middle_s for _, middle_s in heard] == pytest.approx(TIMES_S, abs=2e-4)


def test_a_shifted_recording_gives_shifted_times():
    samples = np.concatenate([np.zeros(160), draw(TIMES_S, 16000, 0.0, 2.2)])  # 10 ms
    assert [middle_s - time_s for (_, middle_s), time_s in zip(find(samples, 16000), TIMES_S, strict=True)] == (
        pytest.approx([0.01] * 5, abs=2e-4)
    )


def test_a_recording_that_starts_late_lacks_its_first_beeps():
    heard = find(draw(TIMES_S, 16000, 0.5, 2.2), 16000)
    assert [which for which, _ in heard] == [1, 2, 3, 4]
    assert heard[0][1] == pytest.approx(0.1, abs=2e-4)
    assert [is_within(time_s, 0.5, 2.2) for time_s in TIMES_S] == [False, True, True, True, True]


def test_silence_has_no_beeps():
    assert find(np.zeros(1000), 16000) == []


def test_what_is_no_beep_is_refused():
    t = np.arange(16000) / 16000
    with pytest.raises(Unheard, match="lasts"):
        find(np.sin(2 * np.pi * PITCHES_HZ[0] * t), 16000)
    short = np.where(np.abs(t - 0.5) < 0.03, np.sin(2 * np.pi * 1000 * t), 0)  # between two pitches
    with pytest.raises(Unheard, match="no pitch"):
        find(short, 16000)
