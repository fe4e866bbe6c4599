"""Frames of the demo: people in front of a made-up background, in changing light.

H, W: height and width of the frame. Positions are in frame pixels, x to the right and y down.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from frame_expressions.demo.expression import FACE_CENTRE, FACE_PX
from frame_expressions.demo.portrait import SCALE, Person, show_expression

PORTRAIT_TILT_DEG = 2.5
"""Tilt of the head in the portrait."""


@dataclass(frozen=True)
class Pose:
    """Position of a face: centre and side of its square, and the tilt of the head in degrees, 0 if upright."""

    x_px: float
    y_px: float
    side_px: float
    tilt_deg: float

    def xyxy_px(self) -> tuple[float, float, float, float]:
        """The face's square, which may extend past the frame."""
        half = self.side_px / 2
        return self.x_px - half, self.y_px - half, self.x_px + half, self.y_px + half


@dataclass(frozen=True)
class Light:
    """Brightness gain per colour (RGB), and how it changes from left to right and from top to bottom."""

    gain: tuple[float, float, float]
    across: float
    down: float


def draw_light(rng: np.random.Generator) -> Light:
    """A random light: dim or bright, cold or warm, stronger on one side."""
    warmth = rng.uniform(-0.08, 0.08)
    level = rng.uniform(0.75, 1.15)
    return Light((level * (1 + warmth), level, level * (1 - warmth)), rng.uniform(-0.35, 0.35), rng.uniform(-0.2, 0.2))


def draw_background(height_px: int, width_px: int, rng: np.random.Generator) -> np.ndarray:
    """A soft wall with a few plain panels, [H, W, 3] uint8 RGB."""
    coarse = rng.uniform(40, 200, size=(1, 1, 3)) + rng.uniform(-35, 35, size=(4, 5, 3))
    wall = cv2.resize(coarse.astype(np.float32), (width_px, height_px), interpolation=cv2.INTER_CUBIC)
    for _ in range(rng.integers(0, 4)):
        x, y = rng.uniform(0, width_px), rng.uniform(0, height_px)
        w, h = rng.uniform(0.1, 0.4, size=2) * (width_px, height_px)
        cv2.rectangle(wall, (int(x), int(y)), (int(x + w), int(y + h)), rng.uniform(30, 220, size=3).tolist(), -1)
    return np.clip(cv2.GaussianBlur(wall, (0, 0), 2.0), 0, 255).astype(np.uint8)


def draw_frame(background: np.ndarray, figures: Sequence[tuple[Person, Pose, np.ndarray]], light: Light) -> np.ndarray:
    """Draw people in front of the background, [H, W, 3] uint8 RGB.

    figures: person, pose and expression weights [C], from back to front. Returns [H, W, 3] uint8 RGB.
    """
    height, width = background.shape[:2]
    frame = background.astype(np.float32)
    for person, pose, weights in figures:
        placed = _placement(pose, person.mirrored)
        figure = cv2.warpAffine(show_expression(person, weights), placed, (width, height), flags=cv2.INTER_LINEAR)
        frame += figure[..., 3:] * np.float32(1 / 255) * (figure[..., :3] - frame)
    across = 1 + light.across * np.linspace(-1, 1, width, dtype=np.float32)
    down = 1 + light.down * np.linspace(-1, 1, height, dtype=np.float32)
    frame *= (down[:, None] * across[None])[..., None]
    frame *= np.array(light.gain, dtype=np.float32)
    return np.clip(frame, 0, 255).astype(np.uint8)


def landmarks_in_frame(person: Person, pose: Pose) -> np.ndarray:
    """Positions of the person's landmarks in the frame with a neutral face, [K, 2] px."""
    placed = _placement(pose, person.mirrored)
    return person.points * SCALE @ placed[:, :2].T + placed[:, 2]


def _placement(pose: Pose, mirrored: bool) -> np.ndarray:
    """Affine map [2, 3] from texture pixels to frame pixels."""
    zoom = pose.side_px / (FACE_PX * SCALE)
    turn = zoom * _rotation(pose.tilt_deg)
    if mirrored:
        turn = turn @ np.diag([-1.0, 1.0])
    turn = turn @ _rotation(-PORTRAIT_TILT_DEG)
    shift = (pose.x_px, pose.y_px) - turn @ (np.array(FACE_CENTRE) * SCALE)
    return np.column_stack([turn, shift])


def _rotation(angle_deg: float) -> np.ndarray:
    angle = np.deg2rad(angle_deg)
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
