import numpy as np
import pytest

from frame_expressions.artifacts.vocabulary import EXPRESSIONS
from frame_expressions.demo.voice import MANNERS, synthesise

RATE = 16000


def voice(name: str, audible: bool, seed: int = 0) -> np.ndarray:
    course = np.full(200, EXPRESSIONS.index(name), np.int8)
    return synthesise(course, np.full(200, audible), RATE, np.random.default_rng(seed))


def pitch_of(samples: np.ndarray) -> tuple[float, float]:
    """Pitch in Hz and height of the autocorrelation's peak within 0.1 s of the middle."""
    part = samples[RATE : RATE + 1600]
    correlation = np.correlate(part, part, "full")[len(part) - 1 :]
    lags = np.arange(RATE // 600, RATE // 70)
    best = lags[correlation[lags].argmax()]
    return RATE / best, correlation[best] / correlation[0]


def test_length_and_range():
    samples = voice("Happiness", True)
    assert samples.dtype == np.float32 and samples.shape == (2 * RATE,)
    assert np.abs(samples).max() == pytest.approx(0.8, abs=1e-6)


@pytest.mark.parametrize("name", ["Neutral", "Happiness", "Anger"])
def test_an_audible_voice_has_its_pitch(name):
    pitch_hz, height = pitch_of(voice(name, True))
    assert height > 0.4
    assert pitch_hz == pytest.approx(MANNERS[name].pitch_hz, rel=0.25)


def test_noise_drowns_the_voice():
    assert pitch_of(voice("Neutral", False))[1] < pitch_of(voice("Neutral", True))[1] - 0.2


def test_the_seed_decides():
    np.testing.assert_array_equal(voice("Fear", True, 3), voice("Fear", True, 3))
    assert (voice("Fear", True, 3) != voice("Fear", True, 4)).any()
