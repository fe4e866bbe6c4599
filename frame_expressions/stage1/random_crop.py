"""The random part of an image that Stage I trains on.

Source: torchvision's RandomResizedCrop, which the method uses.
"""

import math
from collections.abc import Sequence

import numpy as np

RATIO = (3 / 4, 4 / 3)
"""Smallest and largest width of a window, as a multiple of its height."""

_TRIES = 10


def draw_window(height: int, width: int, scale: Sequence[float], rng: np.random.Generator) -> tuple[slice, slice]:
    """Rows and columns of a random window of an image of height x width pixels.

    Its area is a uniform draw from `scale`, as a share of the image's; the logarithm of its ratio is uniform in that of
    RATIO; its place is uniform. If ten such windows do not fit into the image, the window is the largest one in the
    middle that has the image's ratio, or the nearest in RATIO.
    """
    for _ in range(_TRIES):
        area = height * width * rng.uniform(*scale)
        ratio = math.exp(rng.uniform(math.log(RATIO[0]), math.log(RATIO[1])))
        columns, rows = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < columns <= width and 0 < rows <= height:
            top, left = rng.integers(height - rows + 1), rng.integers(width - columns + 1)
            return slice(top, top + rows), slice(left, left + columns)
    columns = min(width, round(height * RATIO[1]))
    rows = min(height, round(width / RATIO[0]))
    top, left = (height - rows) // 2, (width - columns) // 2
    return slice(top, top + rows), slice(left, left + columns)
