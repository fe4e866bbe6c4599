"""Eight expressions as moves of facial landmarks, and the image warp that applies them.

Positions and sizes are in pixels of scikit-image's portrait (512 x 512), x to the right and y down; "left" is
left in the image. H, W: height and width of a patch; K: number of landmarks; C: the eight expressions.
"""

from dataclasses import dataclass, field

import cv2
import numpy as np

from frame_expressions.artifacts.vocabulary import EXPRESSIONS

FACE_PX = 93.0
"""Side of the square that face detectors return for the portrait's face; the unit of all moves."""

FACE_CENTRE = (221.5, 116.5)
"""Centre of that square."""

LANDMARKS = {
    "brow_outer_left": (190.0, 90.5),
    "brow_middle_left": (200.0, 89.5),
    "brow_inner_left": (212.5, 92.5),
    "brow_inner_right": (237.5, 93.5),
    "brow_middle_right": (250.0, 92.0),
    "brow_outer_right": (261.0, 95.5),
    "upper_lid_left": (201.0, 97.5),
    "lower_lid_left": (201.0, 104.0),
    "upper_lid_right": (246.5, 100.0),
    "lower_lid_right": (246.5, 107.0),
    "nose": (223.0, 122.0),
    "mouth_left": (206.0, 145.5),
    "mouth_centre": (223.3, 146.8),
    "mouth_right": (240.5, 145.5),
    "chin": (223.0, 174.0),
}
"""Landmarks of the portrait with its mouth closed (`frame_expressions.demo.portrait`)."""

POINTS = np.array(list(LANDMARKS.values()), dtype=np.float32)
"""[K, 2] float32: x, y."""

SPREADS = np.array(
    [
        {"brow": (9.0, 7.0), "uppe": (7.0, 3.6), "lowe": (7.0, 3.6), "nose": (10.0, 8.0), "mout": (12.0, 10.0)}.get(
            name[:4], (22.0, 12.0) if name == "chin" else (9.0, 9.0)
        )
        for name in LANDMARKS
    ],
    dtype=np.float32,
)
"""[K, 2] float32: standard deviations in x and y of the Gaussian that spreads the move of a landmark."""

MOUTH_HALF_WIDTH = 17.5


@dataclass(frozen=True)
class Expression:
    """A face at full intensity: landmark moves (dx, dy) and mouth gap in face widths, shades 0..1."""

    moves: dict[str, tuple[float, float]] = field(default_factory=dict)
    mouth_open: float = 0.0
    teeth: float = 0.0  # share of the open mouth that shows teeth
    furrow: float = 0.0  # dark folds between the brows
    folds: float = 0.0  # dark folds from nose to mouth


def _both(name: str, outward: float, down: float) -> dict[str, tuple[float, float]]:
    return {f"{name}_left": (-outward, down), f"{name}_right": (outward, down)}


FACES = {
    "Neutral": Expression(),
    "Anger": Expression(
        moves=_both("brow_inner", -0.05, 0.07)
        | _both("brow_middle", -0.03, 0.04)
        | _both("brow_outer", 0.0, -0.03)
        | _both("upper_lid", 0.0, 0.02)
        | _both("lower_lid", 0.0, -0.015)
        | _both("mouth", -0.06, 0.03)
        | {"mouth_centre": (0.0, 0.0), "chin": (0.0, -0.03)},
        furrow=1.0,
    ),
    "Disgust": Expression(
        moves=_both("brow_inner", -0.02, 0.05)
        | _both("brow_middle", 0.0, 0.03)
        | _both("upper_lid", 0.0, 0.025)
        | _both("lower_lid", 0.0, -0.02)
        | {"nose": (0.0, -0.07), "mouth_centre": (0.0, -0.09)}
        | _both("mouth", 0.03, 0.03),
        mouth_open=0.09,
        teeth=1.0,
        folds=1.0,
        furrow=0.3,
    ),
    "Fear": Expression(
        moves=_both("brow_inner", -0.04, -0.11)
        | _both("brow_middle", 0.0, -0.07)
        | _both("upper_lid", 0.0, -0.035)
        | _both("lower_lid", 0.0, 0.025)
        | _both("mouth", 0.10, 0.06)
        | {"mouth_centre": (0.0, 0.02)},
        mouth_open=0.12,
        teeth=0.55,
    ),
    "Happiness": Expression(
        moves=_both("mouth", 0.09, -0.10)
        | _both("lower_lid", 0.0, -0.02)
        | _both("brow_outer", 0.0, -0.03)
        | {"mouth_centre": (0.0, 0.02)},
        mouth_open=0.10,
        teeth=1.0,
        folds=0.4,
    ),
    "Sadness": Expression(
        moves=_both("brow_inner", -0.03, -0.085)
        | _both("brow_outer", 0.02, 0.055)
        | _both("upper_lid", 0.0, 0.025)
        | _both("mouth", -0.01, 0.085)
        | {"mouth_centre": (0.0, -0.02), "chin": (0.0, -0.05)},
    ),
    "Surprise": Expression(
        moves=_both("brow_inner", 0.0, -0.11)
        | _both("brow_middle", 0.0, -0.12)
        | _both("brow_outer", 0.0, -0.11)
        | _both("upper_lid", 0.0, -0.04)
        | _both("lower_lid", 0.0, 0.025)
        | _both("mouth", -0.06, 0.05)
        | {"mouth_centre": (0.0, 0.05), "chin": (0.0, 0.12)},
        mouth_open=0.27,
        teeth=0.15,
    ),
    "Other": Expression(
        moves={
            "upper_lid_left": (0.0, 0.03),
            "lower_lid_left": (0.0, -0.01),
            "brow_inner_left": (0.0, 0.03),
            "brow_middle_left": (0.0, 0.03),
            "brow_middle_right": (0.0, -0.11),
            "brow_outer_right": (0.0, -0.09),
            "mouth_left": (0.08, 0.03),
            "mouth_centre": (0.10, 0.0),
            "mouth_right": (0.10, -0.09),
        },
    ),
}

_NAMES = list(LANDMARKS)
_MOVES = np.zeros((len(EXPRESSIONS), len(_NAMES), 2), dtype=np.float32)
_SHAPES = np.zeros((len(EXPRESSIONS), 4), dtype=np.float32)
for _row, _name in enumerate(EXPRESSIONS):
    _face = FACES[_name]
    for _landmark, _move in _face.moves.items():
        _MOVES[_row, _NAMES.index(_landmark)] = np.multiply(_move, FACE_PX)
    _SHAPES[_row] = _face.mouth_open * FACE_PX, _face.teeth, _face.furrow, _face.folds


def displacement(
    points: np.ndarray, moves: np.ndarray, spreads: np.ndarray, xs: np.ndarray, ys: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The offset from each pixel of a patch to its source when landmarks move.

    points, moves, spreads: [K, 2] in px; xs [W], ys [H]: the patch's pixel positions. Returns dx, dy [H, W]
    float32 in px: a sum of Gaussians centred on the new positions of the landmarks, which at each of these positions
    equals minus the move of the landmark.
    """
    centres = points + moves
    between = (centres[:, None] - centres[None]) / spreads[None]
    heights = np.linalg.solve(np.exp(-0.5 * (between**2).sum(axis=2)), moves)
    across = np.exp(-0.5 * ((xs[None] - centres[:, :1]) / spreads[:, :1]) ** 2)
    down = np.exp(-0.5 * ((ys[None] - centres[:, 1:]) / spreads[:, 1:]) ** 2)
    dx = -(down * heights[:, :1]).T @ across
    dy = -(down * heights[:, 1:]).T @ across
    return dx.astype(np.float32), dy.astype(np.float32)


def landmark_moves(weights: np.ndarray) -> np.ndarray:
    """The move of each landmark in a blend of expressions: weights [C], returns [K, 2] px."""
    return np.tensordot(weights, _MOVES, axes=1)


def express(texture: np.ndarray, points: np.ndarray, weights: np.ndarray, xs: np.ndarray, ys: np.ndarray) -> np.ndarray:
    """Make a neutral face show a blend of expressions.

    texture: [H, W, 3] uint8 RGB, the face's patch, sampled at portrait positions xs [W], ys [H] (even steps);
    points [K, 2] its landmarks; weights [C] intensity of each expression, 0 none, 1 full. Returns [H, W, 3]
    uint8 RGB.
    """
    weights = np.asarray(weights, dtype=np.float32)
    moves = landmark_moves(weights)
    mouth_open, teeth_sum, furrow, folds = weights @ _SHAPES
    dx, dy = displacement(points, moves, SPREADS, xs, ys)
    x, y = xs[None] + dx, ys[:, None] + dy
    gaping = mouth_open > 0.3
    if gaping:
        top = int(np.searchsorted(ys, LANDMARKS["nose"][1]))
        y[top:], interior, depth = _open_mouth(x[top:], y[top:], points, float(mouth_open))
    step = xs[1] - xs[0]
    patch = cv2.remap(texture, (x - xs[0]) / step, (y - ys[0]) / step, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    if max(furrow, folds) > 0.02:
        shade = _folds(points, moves, float(furrow), float(folds), xs, ys)
        patch = (patch * shade[..., None]).astype(np.uint8)
    if gaping:
        teeth = float(np.clip(teeth_sum / max(weights[1:].sum(), 1e-6), 0.0, 1.0))
        box = _bounds(interior)
        mouth = patch[top:][box]
        mouth[:] = mouth + interior[box][..., None] * (_mouth_colours(depth[box], teeth) - mouth)
    return patch


_CAVITY = np.array([52.0, 18.0, 22.0], dtype=np.float32)
_TEETH = np.array([225.0, 214.0, 198.0], dtype=np.float32)


def _bounds(mask: np.ndarray) -> tuple[slice, slice]:
    """The range of rows and of columns that contains every nonzero pixel of `mask`."""
    return tuple(
        slice(*(np.flatnonzero(mask.any(axis=axis))[[0, -1]] + (0, 1))) if mask.any() else slice(0, 0)
        for axis in (1, 0)
    )


def _mouth_colours(depth: np.ndarray, teeth: float) -> np.ndarray:
    """Colours of an open mouth, [H, W, 3] float32: teeth down to the share `teeth` of its depth, dark below."""
    white = np.clip((teeth - depth) * 6.0 + 0.5, 0.0, 1.0) * (teeth > 0.02)
    lit = _TEETH * (1.0 - 0.35 * np.abs(depth - 0.3))[..., None]
    return _CAVITY + white[..., None] * (lit - _CAVITY)


_UPPER_SHARE = 0.3  # of the gap is above the line of the closed lips: the jaw moves more than the upper lip


def _open_mouth(
    x: np.ndarray, y: np.ndarray, points: np.ndarray, gap: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Open the lips: returns the source's y, the mouth's interior 0..1 and the depth in it 0..1, each [H, W]."""
    left, centre, right = (points[_NAMES.index(f"mouth_{part}")] for part in ("left", "centre", "right"))
    middle, half = (left[0] + right[0]) / 2, MOUTH_HALF_WIDTH * (right[0] - left[0]) / 34.5
    across = (x - middle) / half
    profile = np.sqrt(np.clip(1.0 - across**2, 0.0, None))
    line = centre[1] - 1.3 * across**2
    upper, lower = line - _UPPER_SHARE * gap * profile, line + (1 - _UPPER_SHARE) * gap * profile
    above, below = np.minimum(y - upper, 0.0), np.maximum(y - lower, 0.0)
    source = np.where(above < 0, y + (line - upper) * np.exp(-0.5 * (above / 9.0) ** 2), line)
    source = np.where(below > 0, y - (lower - line) * np.exp(-0.5 * (below / 17.0) ** 2), source)
    interior = np.clip(np.minimum(y - upper, lower - y) + 0.5, 0.0, 1.0) * (profile > 0)
    depth = (y - upper) / np.maximum(lower - upper, 1e-3)
    return source.astype(np.float32), interior.astype(np.float32), depth.astype(np.float32)


def _folds(
    points: np.ndarray, moves: np.ndarray, furrow: float, folds: float, xs: np.ndarray, ys: np.ndarray
) -> np.ndarray:
    """Brightness factor [H, W] of skin folds between the brows and next to the nose."""
    moved = points + moves
    inner = [moved[_NAMES.index(f"brow_inner_{side}")] for side in ("left", "right")]
    nose = moved[_NAMES.index("nose")]
    spots = [
        (inner[0][0] * 0.7 + inner[1][0] * 0.3, inner[0][1], 1.3, 5.0, 0.5 * furrow),
        (inner[0][0] * 0.3 + inner[1][0] * 0.7, inner[1][1], 1.3, 5.0, 0.5 * furrow),
        (nose[0] - 17.0, nose[1] + 9.0, 2.5, 7.0, 0.4 * folds),
        (nose[0] + 17.0, nose[1] + 9.0, 2.5, 7.0, 0.4 * folds),
        (nose[0], nose[1] - 18.0, 7.0, 1.3, 0.35 * folds),
    ]
    table = np.array(spots, dtype=np.float32)
    across = np.exp(-0.5 * ((xs[None] - table[:, :1]) / table[:, 2:3]) ** 2)
    down = np.exp(-0.5 * ((ys[None] - table[:, 1:2]) / table[:, 3:4]) ** 2)
    return 1.0 - (down * table[:, 4:]).T @ across
