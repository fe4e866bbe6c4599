"""Single face pictures for Stage I, framed as face crops are: tight or loose, sometimes cut by black borders.

Sizes are in pixels of the picture.
"""

from dataclasses import dataclass

import numpy as np

from frame_expressions.artifacts.vocabulary import NUM_CLASSES
from frame_expressions.demo.portrait import Person
from frame_expressions.demo.scene import Pose, draw_background, draw_frame, draw_light, landmarks_in_frame


@dataclass(frozen=True)
class Picture:
    """rgb [S, S, 3] uint8 RGB; pose: the face in it; landmarks_px [K, 2] float64."""

    rgb: np.ndarray
    pose: Pose
    landmarks_px: np.ndarray


def draw_picture(
    person: Person,
    expression: int | None,
    size_px: int,
    framing: tuple[float, float],
    border_share: float,
    rng: np.random.Generator,
) -> Picture:
    """One face with an expression.

    expression: index of EXPRESSIONS, or None for a face that shows no clear one; size_px: S; framing: least and
    greatest side of the picture in face sides; border_share: probability that part of the picture is black, as a
    crop past the frame's edge has it.
    """
    side = size_px / rng.uniform(*framing)
    place = size_px / 2 + rng.uniform(-0.08, 0.08, size=2) * side
    pose = Pose(float(place[0]), float(place[1]), float(side), float(rng.uniform(-6, 6)))
    weights = np.zeros(NUM_CLASSES)
    if expression is None:
        weights[rng.choice(NUM_CLASSES, size=3, replace=False)] = 0.33
    else:
        weights[expression] = rng.uniform(0.7, 1.15)
        weights[rng.integers(1, NUM_CLASSES)] += rng.uniform(0.0, 0.12)
    background = draw_background(size_px, size_px, rng)
    rgb = draw_frame(background, [(person, pose, weights)], draw_light(rng))
    if rng.random() < border_share:
        width = round(size_px * rng.uniform(0.04, 0.22))
        edge = (np.s_[:width], np.s_[-width:], np.s_[:, :width], np.s_[:, -width:])[rng.integers(4)]
        rgb[edge] = 0
    return Picture(rgb, pose, landmarks_in_frame(person, pose))


def draw_empty(size_px: int, rng: np.random.Generator) -> np.ndarray:
    """A picture without a face, [S, S, 3] uint8 RGB."""
    return draw_frame(draw_background(size_px, size_px, rng), [], draw_light(rng))
