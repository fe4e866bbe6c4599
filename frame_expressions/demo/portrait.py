"""People made from one photo: scikit-image's portrait of Eileen Collins (NASA, public domain).

The portrait smiles, so its mouth is closed first. People then differ in face shape and in the colours of skin, hair and
clothes. Positions are in portrait pixels, as in `frame_expressions.demo.expression`; textures have SCALE times the
resolution of the portrait.
"""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from skimage import data

from frame_expressions.demo.expression import LANDMARKS, POINTS, displacement, express

SCALE = 1.5
"""Texture pixels per portrait pixel."""

USED_PX = (370, 350)
"""Width and height of the part of the portrait that frames show."""

# Outlines, traced by hand on the portrait.
_FIGURE = (
    (154, 66), (156, 52), (164, 40), (183, 32), (192, 30), (206, 21), (230, 16), (253, 20), (277, 32), (293, 52),
    (301, 80), (300, 101), (291, 117), (280, 127), (279, 131), (272, 137), (267, 138), (262, 155), (256, 174),
    (272, 181), (291, 202), (302, 225), (306, 241), (323, 246), (345, 267), (354, 291), (361, 323), (364, 349),
    (328, 370), (300, 403), (282, 445), (282, 511), (33, 511), (21, 436), (19, 384), (28, 328), (42, 291),
    (54, 262), (70, 241), (94, 225), (112, 209), (113, 192), (124, 183), (131, 164), (155, 150), (174, 148),
    (184, 148), (182, 131), (174, 129), (171, 122), (162, 113), (155, 94),
)  # fmt: skip
_FACE = (
    (184, 105), (186, 83), (190, 72), (200, 80), (215, 82), (230, 82), (245, 86), (258, 90), (268, 92), (269, 105),
    (270, 125), (267, 138), (262, 153), (257, 165), (254, 187), (235, 190), (215, 187), (195, 184), (187, 178),
    (186, 155), (183, 143), (182, 131), (174, 129), (171, 120), (179, 120),
)  # fmt: skip
_HAIR = (
    (154, 66), (156, 52), (164, 40), (183, 32), (192, 30), (206, 21), (230, 16), (253, 20), (277, 32), (293, 52),
    (301, 80), (300, 101), (291, 117), (280, 128), (272, 128), (270, 105), (268, 91), (258, 89), (245, 85), (230, 81),
    (215, 81), (200, 79), (190, 71), (186, 83), (184, 105), (179, 121), (171, 122), (162, 113), (155, 94),
)  # fmt: skip


@dataclass(frozen=True)
class Person:
    """One made-up person.

    rgba: [H, W, 4] uint8, the figure with a neutral face, and its opacity; points: [K, 2] float32, landmarks after the
    change of face shape; mirrored: drawn flipped from left to right.
    """

    rgba: np.ndarray
    points: np.ndarray
    mirrored: bool


FACE_PATCH = (164, 62, 282, 220)
"""The part of the figure that an expression changes: x1, y1, x2, y2 in portrait px."""
_X1, _Y1, _X2, _Y2 = FACE_PATCH
_COLUMNS, _ROWS = (slice(round(SCALE * start), round(SCALE * end)) for start, end in ((_X1, _X2), (_Y1, _Y2)))
_PATCH = (_ROWS, _COLUMNS, slice(0, 3))


def show_expression(person: Person, weights: np.ndarray) -> np.ndarray:
    """The figure with a blend of expressions on its face: weights [C]; returns [H, W, 4] uint8 RGBA."""
    xs, ys = _axes()
    figure = person.rgba.copy()
    figure[_PATCH] = express(person.rgba[_PATCH], person.points, weights, xs[_COLUMNS], ys[_ROWS])
    return figure


def make_person(rng: np.random.Generator) -> Person:
    """Draw a random person: face shape, colours of skin, hair and clothes, and whether mirrored."""
    portrait = _neutral_portrait()
    xs, ys = _axes()
    spread = rng.uniform(-2.5, 2.5, size=6)
    moves = np.zeros_like(_SHAPE_POINTS)
    moves[:2, 0] = -spread[0], spread[0]  # jaw width
    moves[2:4, 0] = -0.5 * spread[1], 0.5 * spread[1]  # distance between the eyes
    moves[2:4, 1] = 0.5 * spread[2]  # height of the eyes
    moves[4, 1] = 0.8 * spread[3]  # length of the nose
    moves[5, 1] = 0.6 * spread[4]  # height of the mouth
    moves[6, 1] = spread[5]  # length of the chin
    dx, dy = displacement(_SHAPE_POINTS, moves, _SHAPE_SPREADS, xs, ys)
    shaped = cv2.remap(portrait.rgb, SCALE * (xs[None] + dx), SCALE * (ys[:, None] + dy), cv2.INTER_LINEAR)
    clothes = _recolour(shaped, 1.0, rng.uniform(0.6, 1.4), rng.uniform(0.85, 1.1, 3))[..., rng.permutation(3)]
    hair = _recolour(shaped, rng.uniform(0, 1), rng.uniform(0.7, 2), rng.uniform((0.95, 0.8, 0.7), (1.2, 1, 1)))
    skin = _recolour(shaped, 1.0, rng.uniform(0.8, 1.7), rng.uniform((0.95, 0.88, 0.82), (1.08, 1.0, 1.05)))
    rgb = clothes
    for mask, layer in ((portrait.hair, hair), (portrait.face, skin)):
        rgb = rgb + mask[..., None] * (layer - rgb)
    return Person(
        rgba=np.dstack([np.clip(rgb, 0, 255), 255 * portrait.figure]).astype(np.uint8),
        points=_follow(POINTS, moves),
        mirrored=bool(rng.random() < 0.5),
    )


def _recolour(rgb: np.ndarray, saturation: float, gamma: float, gain: np.ndarray) -> np.ndarray:
    """Change saturation, tone curve and gain per colour; uint8 in, float32 0..255 out."""
    curve = 255 * np.linspace(0, 1, 256)[:, None] ** gamma * gain
    toned = np.dstack([curve[:, colour].astype(np.float32)[rgb[..., colour]] for colour in range(3)])
    if saturation == 1.0:
        return toned
    grey = toned.mean(axis=2, keepdims=True)
    return grey + np.float32(saturation) * (toned - grey)


_SHAPE_POINTS = np.array(
    [(183, 150), (265, 150), (201, 101), (246, 103), (223, 127), (223, 147), (223, 178)], dtype=np.float32
)
_SHAPE_SPREADS = np.array([(14, 25), (14, 25), (14, 12), (14, 12), (14, 10), (16, 10), (26, 14)], dtype=np.float32)


def _follow(points: np.ndarray, moves: np.ndarray) -> np.ndarray:
    """Positions of landmarks after a change of face shape: the inverse of the warp, which maps to sources."""
    landed = points.copy()
    for _ in range(8):
        for row, (x, y) in enumerate(landed):
            dx, dy = displacement(_SHAPE_POINTS, moves, _SHAPE_SPREADS, np.array([x]), np.array([y]))
            landed[row] = points[row] - (dx[0, 0], dy[0, 0])
    return landed


@dataclass(frozen=True)
class _Portrait:
    """rgb [H, W, 3] uint8 with closed mouth and visible brows; masks [H, W] float32 0..1 of figure, hair, face."""

    rgb: np.ndarray
    figure: np.ndarray
    hair: np.ndarray
    face: np.ndarray


def _axes() -> tuple[np.ndarray, np.ndarray]:
    """Portrait positions xs [W], ys [H] of the texture's pixels: pixel i is at i / SCALE."""
    return tuple((np.arange(round(SCALE * extent)) / SCALE).astype(np.float32) for extent in USED_PX)


@cache
def _neutral_portrait() -> _Portrait:
    xs, ys = _axes()
    smile = np.array([(204.5, 139.0), (223.3, 146.0), (242.0, 139.0)], dtype=np.float32)
    rest = np.array([(205.5, 146.0), (223.3, 146.5), (241.0, 146.0)], dtype=np.float32)
    dx, dy = displacement(smile, rest - smile, np.full_like(rest, 11.0), xs, ys)
    x, y = xs[None] + dx, ys[:, None] + dy
    # The open mouth is the area between two parabolas; both are moved onto the line midway between them.
    across = (x - 223.3) / 20.5
    upper, lower = 143.5 - 3.0 * across**2, 150.0 - 9.3 * across**2
    away = y - (upper + lower) / 2
    half = np.where(np.abs(across) < 1.0, (lower - upper) / 2, 0.0)
    y = y + np.sign(away) * half * np.exp(-0.5 * (away / 7.0) ** 2)
    rgb = cv2.remap(data.astronaut(), x.astype(np.float32), y.astype(np.float32), cv2.INTER_CUBIC)
    shade = 1.0 - 0.4 * np.exp(-0.5 * (away / 0.9) ** 2) * np.clip((1.0 - np.abs(across)) * 6.0, 0.0, 1.0)
    brows = np.zeros(shade.shape, np.uint8)
    for side in ("left", "right"):
        trail = np.array([LANDMARKS[f"brow_{part}_{side}"] for part in ("outer", "middle", "inner")]) * SCALE
        cv2.polylines(brows, [np.round(trail).astype(np.int32)], False, 255, 4, cv2.LINE_AA)
    shade *= 1.0 - 0.6 * cv2.GaussianBlur(brows, (0, 0), 0.8 * SCALE).astype(np.float32) / 255.0
    return _Portrait(
        rgb=np.clip(rgb * shade[..., None], 0, 255).astype(np.uint8),
        figure=_mask(_FIGURE, shade.shape, 1.0, shrink=2),
        hair=_mask(_HAIR, shade.shape, 1.3),
        face=_mask(_FACE, shade.shape, 1.3),
    )


def _mask(outline: tuple[tuple[int, int], ...], shape: tuple[int, int], blur_px: float, shrink: int = 0) -> np.ndarray:
    mask = np.zeros(shape, np.uint8)
    cv2.fillPoly(mask, [np.round(np.array(outline) * SCALE).astype(np.int32)], 255, cv2.LINE_AA)
    mask = cv2.erode(mask, np.ones((3, 3), np.uint8), iterations=shrink)
    return cv2.GaussianBlur(mask, (0, 0), blur_px * SCALE).astype(np.float32) / 255.0
