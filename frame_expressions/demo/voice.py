"""Synthesised voices: each expression has its own pitch, timbre and rhythm; noise can mask them.

G: grid points of the story; N: audio samples.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from frame_expressions.artifacts.vocabulary import EXPRESSIONS
from frame_expressions.demo.story import GRID_HZ

MAX_HARMONIC_HZ = 4500.0


@dataclass(frozen=True)
class Manner:
    """The voice of an expression: pitch and vibrato, rate and depth of syllables, two formants, loudness, breath."""

    pitch_hz: float
    vibrato_hz: float
    vibrato_share: float
    syllable_hz: float
    syllable_depth: float
    formants_hz: tuple[float, float]
    loudness: float
    breath: float


MANNERS = {
    "Neutral": Manner(125.0, 4.0, 0.01, 3.0, 0.4, (500.0, 1500.0), 0.6, 0.05),
    "Anger": Manner(190.0, 28.0, 0.06, 5.0, 0.7, (800.0, 1300.0), 1.0, 0.15),
    "Disgust": Manner(95.0, 14.0, 0.05, 1.5, 0.6, (350.0, 900.0), 0.6, 0.30),
    "Fear": Manner(320.0, 9.0, 0.05, 8.0, 0.8, (450.0, 2300.0), 0.6, 0.25),
    "Happiness": Manner(260.0, 5.0, 0.10, 4.5, 0.9, (700.0, 1900.0), 0.9, 0.05),
    "Sadness": Manner(150.0, 2.0, 0.03, 1.2, 0.8, (400.0, 1000.0), 0.35, 0.10),
    "Surprise": Manner(420.0, 1.5, 0.20, 2.0, 0.5, (900.0, 2600.0), 0.9, 0.05),
    "Other": Manner(140.0, 3.0, 0.02, 2.5, 0.9, (600.0, 3000.0), 0.5, 1.20),
}


def synthesise(expression: np.ndarray, audible: np.ndarray, sample_rate: int, rng: np.random.Generator) -> np.ndarray:
    """Synthesise the voice for a sequence of expressions.

    expression [G] int8; audible [G] bool, False where noise masks the voice; sample_rate in Hz. Returns
    [N] float32 within -1..1, N = G / GRID_HZ * sample_rate.
    """
    num_points = len(expression)
    num_samples = round(num_points / GRID_HZ * sample_rate)
    time_s = np.arange(num_samples) / sample_rate
    grid_s = np.arange(num_points) / GRID_HZ
    manners = np.array(
        [
            (m.pitch_hz, m.vibrato_hz, m.vibrato_share, m.syllable_hz, m.syllable_depth, *m.formants_hz, m.loudness,
             m.breath)
            for m in (MANNERS[name] for name in EXPRESSIONS)
        ]
    )  # fmt: skip
    courses = gaussian_filter1d(manners[expression], 0.04 * GRID_HZ, axis=0, mode="nearest")
    pitch, vibrato_hz, vibrato, syllable_hz, depth, low, high, loudness, breath = courses.T
    pitch = pitch * rng.uniform(0.92, 1.09) * np.exp(gaussian_filter1d(rng.normal(0, 0.3, num_points), 20))
    pitch = pitch * (1 + vibrato * np.sin(2 * np.pi * np.cumsum(vibrato_hz) / GRID_HZ))
    syllables = 1 - depth * (0.5 + 0.5 * np.sin(2 * np.pi * np.cumsum(syllable_hz) / GRID_HZ))
    phase = 2 * np.pi * np.cumsum(np.interp(time_s, grid_s, pitch)) / sample_rate
    voice = np.zeros(num_samples)
    harmonic = 1
    while harmonic * pitch.min() < min(MAX_HARMONIC_HZ, 0.45 * sample_rate):
        at_hz = harmonic * pitch
        envelope = _resonance(at_hz, low, 0.18) + 0.6 * _resonance(at_hz, high, 0.12) + 0.03
        envelope = envelope * (at_hz < MAX_HARMONIC_HZ) / np.sqrt(harmonic)
        voice += np.interp(time_s, grid_s, envelope) * np.sin(harmonic * phase)
        harmonic += 1
    voice += np.interp(time_s, grid_s, breath) * rng.normal(size=num_samples) * 0.5
    voice *= np.interp(time_s, grid_s, loudness * syllables)
    heard = gaussian_filter1d(audible.astype(float), 0.02 * GRID_HZ, mode="nearest")
    noise = _pink(num_samples, sample_rate, rng)
    level = np.interp(time_s, grid_s, heard)
    rough = np.exp(np.interp(time_s, grid_s, gaussian_filter1d(rng.normal(0, 1.5, num_points), 6)))
    mixed = voice * (0.05 + 0.95 * level) + noise * (0.06 + (1 - level) * 0.9 * rough)
    return (0.8 * mixed / np.abs(mixed).max()).astype(np.float32)


def _resonance(at_hz: np.ndarray, centre_hz: np.ndarray, width: float) -> np.ndarray:
    return np.exp(-0.5 * (np.log(at_hz / centre_hz) / width) ** 2)


def _pink(num_samples: int, sample_rate: int, rng: np.random.Generator) -> np.ndarray:
    """Noise whose power falls with frequency above 100 Hz, with standard deviation 1."""
    spectrum = np.fft.rfft(rng.normal(size=num_samples))
    frequency = np.fft.rfftfreq(num_samples, 1 / sample_rate)
    noise = np.fft.irfft(spectrum / np.sqrt(np.maximum(frequency, 100.0)), num_samples)
    return noise / noise.std()
