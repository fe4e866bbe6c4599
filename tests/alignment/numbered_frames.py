"""Images that show their frame number, inside the box of a face at a known position.

The box holds a square of 6 x 6 cells, dark or bright yellow. The outer cells are fixed and unlike themselves in
every rotated or mirrored view; the inner ones hold the number and its complement. A frame is therefore read as drawn
or not at all.
"""

import numpy as np
from PIL import Image

LARGEST_NUMBER = 255
BOX_SHARE = 0.75  # of the frame's shorter side
CODE_SHARE = 0.84  # of the box's side
CELLS = 6
SKIN, BRIGHT, DARK = (205, 150, 110), (255, 225, 60), (0, 0, 0)
LEAST_BRIGHT, MOST_DARK = 150, 90  # of the green channel
LEAST_YELLOW = 60  # red above blue in bright cells; swapped channels give the opposite
SAMPLED_AT = np.array([0.3, 0.4, 0.5, 0.6, 0.7])  # of a cell's side
SWAY_FRAMES = 30  # the period after which the face returns to its position

MARKS = np.array([[int(cell) if cell in "01" else -1 for cell in row] for row in (
    "111111",
    "0....1",
    "0....0",
    "0....1",
    "0....0",
    "010010",
)])  # fmt: skip
INNER = MARKS < 0


class Unreadable(ValueError):
    """An image that does not show a number clearly."""


def face_box(number: int, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The box of the face in frame `number` of `size` (width, height): x1, y1, x2, y2 in px.

    The box moves, so another frame's box does not fit this frame's code.
    """
    width, height = size
    side = round(BOX_SHARE * min(size))
    across = abs(number % SWAY_FRAMES / SWAY_FRAMES * 2 - 1)
    left, top = round(across * (width - side)), round((1 - across) * (height - side))
    return left, top, left + side, top + side


def draw(number: int, size: tuple[int, int]) -> np.ndarray:
    """Frame `number` (0 to 255), uint8 [H, W, 3], RGB."""
    width, height = size
    shade = np.linspace(40, 160, width).astype(np.uint8)
    rgb = np.ascontiguousarray(np.broadcast_to(shade[None, :, None], (height, width, 3)))
    left, top, right, bottom = face_box(number, size)
    rgb[top:bottom, left:right] = SKIN
    bits = np.array([number >> bit & 1 for bit in range(8)])
    cells = MARKS.copy()
    cells[INNER] = np.concatenate([bits, 1 - bits])
    side = round(CODE_SHARE * (right - left))
    inset = (right - left - side) // 2
    code = np.where(cells[..., None] == 1, BRIGHT, DARK).astype(np.uint8)
    square = Image.fromarray(code).resize((side, side), Image.Resampling.NEAREST)
    rgb[top + inset : top + inset + side, left + inset : left + inset + side] = np.asarray(square)
    return rgb


def read_frame(rgb: np.ndarray, number: int) -> int:
    """The number in the face box of frame `number`, read from its image uint8 [H, W, 3], RGB.

    Raises Unreadable.
    """
    left, top, right, bottom = face_box(number, (rgb.shape[1], rgb.shape[0]))
    return read_square(rgb[top:bottom, left:right], scale=1.0)


def read_square(rgb: np.ndarray, scale: float) -> int:
    """The number in a square uint8 [S, S, 3], RGB, whose side is `scale` times that of the face box.

    Raises Unreadable where a cell is neither bright nor dark, the outer cells are not as drawn (turned, mirrored,
    shifted), the number and its complement disagree, or red and blue are swapped.
    """
    side = rgb.shape[0] * CODE_SHARE / scale
    steps = (np.arange(CELLS)[:, None] + SAMPLED_AT).ravel() / CELLS  # where in the code's side
    at = ((rgb.shape[0] - side) / 2 + side * steps).astype(int)
    sampled = rgb[np.ix_(at, at)].reshape(CELLS, len(SAMPLED_AT), CELLS, len(SAMPLED_AT), 3)
    means = sampled.mean((1, 3))  # [6, 6, 3]
    bright, dark = means[..., 1] > LEAST_BRIGHT, means[..., 1] < MOST_DARK
    if not (bright | dark).all():
        raise Unreadable(f"{(~(bright | dark)).sum()} cells are neither bright nor dark")
    if (bright[~INNER] != MARKS[~INNER]).any():
        raise Unreadable("the marks are not where they were drawn")
    if ((means[..., 0] - means[..., 2])[bright] < LEAST_YELLOW).any():
        raise Unreadable("bright cells are not yellow: red and blue are swapped")
    bits, complement = np.split(bright[INNER].astype(int), 2)
    if (bits == complement).any():
        raise Unreadable("the number and its complement disagree")
    return int(bits @ (1 << np.arange(8)))
