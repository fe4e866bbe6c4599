"""Single face images for Stage I, framed like face crops: tight or loose, some with a black border.

S: side of the square image. Sizes are in pixels of the image.
"""

from dataclasses import dataclass

import numpy as np

from frame_expressions.artifacts.vocabulary import NUM_CLASSES
from frame_expressions.demo.portrait import Person
from frame_expressions.demo.scene import Pose, draw_background, draw_frame, draw_light, landmarks_in_frame


@dataclass(frozen=True)
class FaceImage:
    """rgb: [S, S, 3] uint8 RGB; pose: of the face in it; landmarks_px: [K, 2] float64."""

    rgb: np.ndarray
    pose: Pose
    landmarks_px: np.ndarray


def draw_face(
    person: Person,
    expression: int | None,
    size_px: int,
    framing: tuple[float, float],
    border_share: float,
    rng: np.random.Generator,
) -> FaceImage:
    """Draw one face with an expression.

    person: whose face.
    expression: index into EXPRESSIONS, or None for a face without a clear expression.
    size_px: S.
    framing: smallest and largest side of the image, in sides of the face's square.
    border_share: probability that a part of the image is black, as in a crop that extends past the frame.
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
    return FaceImage(rgb, pose, landmarks_in_frame(person, pose))


def draw_without_face(size_px: int, rng: np.random.Generator) -> np.ndarray:
    """An image without a face, [S, S, 3] uint8 RGB."""
    return draw_frame(draw_background(size_px, size_px, rng), [], draw_light(rng))
