"""What happens in a demo video: who shows which expression when, and where its cues are missing.

A story is defined on a grid of GRID_HZ points per second and sampled at the times of frames or audio samples.
G: number of grid points; C: the eight expressions.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from frame_expressions.artifacts.vocabulary import EXPRESSIONS, NUM_CLASSES

GRID_HZ = 100
SEGMENT_S = 1.8
"""Approximate duration of an expression."""

ONSET_S = 0.08
"""Standard deviation of the smoothing that makes expressions on the face appear and fade gradually."""


@dataclass(frozen=True)
class Story:
    """One person's expressions over a clip.

    expression [G] int8: the label; face_weights [G, C] float32: what the face shows; face_informative [G] bool:
    whether the face shows the label's expression.
    """

    expression: np.ndarray
    face_weights: np.ndarray
    face_informative: np.ndarray


def deal_expressions(num_tracks: int, clip_s: float, rng: np.random.Generator) -> list[np.ndarray]:
    """Assign each track of a split its sequence of expressions: balanced, and all eight occur in the split."""
    per_track = max(round(clip_s / SEGMENT_S), -(-NUM_CLASSES // num_tracks))
    decks = [rng.permutation(NUM_CLASSES) for _ in range(-(-num_tracks * per_track // NUM_CLASSES))]
    dealt = np.concatenate(decks)[: num_tracks * per_track].reshape(num_tracks, per_track)
    return list(dealt)


def tell_story(expressions: Sequence[int], clip_s: float, gap_share: float, rng: np.random.Generator) -> Story:
    """Lay out `expressions` over a clip; during `gap_share` of the time the face does not show them.

    In a gap the face is neutral, or a blend of the true expression and a wrong one in equal parts.
    """
    num_points = round(clip_s * GRID_HZ)
    bounds = np.cumsum(rng.uniform(0.8, 1.2, size=len(expressions)))
    segment = np.minimum(
        np.searchsorted(bounds / bounds[-1] * num_points, np.arange(num_points), side="right"), len(expressions) - 1
    )
    expression = np.asarray(expressions, dtype=np.int8)[segment]
    intensity = rng.uniform(0.8, 1.1, size=len(expressions))[segment]
    informative = draw_informative(num_points, gap_share, rng)
    weights = np.eye(NUM_CLASSES)[expression] * intensity[:, None]
    neutral = EXPRESSIONS.index("Neutral")
    for start, end in _runs(~informative):
        wrong = (expression[start:end] + rng.integers(1, NUM_CLASSES)) % NUM_CLASSES
        blank = np.eye(NUM_CLASSES)[np.full(end - start, neutral)]
        mixed = 0.45 * np.eye(NUM_CLASSES)[expression[start:end]] + 0.45 * np.eye(NUM_CLASSES)[wrong]
        show_blank = (expression[start:end] != neutral) & (rng.random() < 0.6)
        weights[start:end] = np.where(show_blank[:, None], blank, mixed)
    weights = gaussian_filter1d(weights, ONSET_S * GRID_HZ, axis=0, mode="nearest")
    return Story(expression, weights.astype(np.float32), informative)


def draw_informative(num_points: int, gap_share: float, rng: np.random.Generator) -> np.ndarray:
    """[G] bool: False in runs of 0.4 to 1.1 s that add up to about `gap_share` of the time."""
    informative = np.ones(num_points, dtype=bool)
    if gap_share <= 0:
        return informative
    between_s = 0.75 * (1 - gap_share) / gap_share
    point = round(GRID_HZ * rng.uniform(-0.75, between_s))
    while point < num_points:
        end = point + round(GRID_HZ * rng.uniform(0.4, 1.1))
        informative[max(point, 0) : max(end, 0)] = False
        point = end + round(GRID_HZ * between_s * rng.uniform(0.5, 1.5))
    return informative


def grid_points(times_s: np.ndarray, num_points: int) -> np.ndarray:
    """The index of the grid point of each time, int64."""
    return np.clip((np.asarray(times_s) * GRID_HZ).astype(np.int64), 0, num_points - 1)


def _runs(mask: np.ndarray) -> list[tuple[int, int]]:
    """Half-open bounds of the runs of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
