"""Square crops around a face."""

from dataclasses import dataclass

import numpy as np

from frame_expressions.faces.resizing import resize
from frame_expressions.media.jpeg import encode_jpeg


@dataclass(frozen=True)
class CropSettings:
    """The block `crops` of the configuration, which documents each setting."""

    scales: list[float]
    jpeg_quality: int


@dataclass(frozen=True)
class Crop:
    """A stored crop: its scale, its JPEG, and the share of its square that is outside the frame."""

    scale: float
    jpeg: bytes
    padded_share: float


def crop_at_scales(rgb: np.ndarray, xyxy_px: np.ndarray, settings: CropSettings, size_px: int) -> list[Crop]:
    """The crops of one frame, in the order of `settings.scales`; arguments as for `square_crop`."""
    crops = []
    for scale in settings.scales:
        square, padded_share = square_crop(rgb, xyxy_px, scale, size_px)
        crops.append(Crop(scale, encode_jpeg(square, settings.jpeg_quality), padded_share))
    return crops


def square_crop(rgb: np.ndarray, xyxy_px: np.ndarray, scale: float, size_px: int) -> tuple[np.ndarray, float]:
    """Cut the square of side scale * max(width, height) around the box's centre and resize it.

    rgb: uint8 [H, W, 3], RGB, upright. xyxy_px: float [4]; may extend past the frame. The square is rounded to
    whole pixels and is black outside the frame.
    Returns the crop, uint8 [size_px, size_px, 3], RGB, and the share of the square that is outside the frame.
    Source: arXiv 2603.12221 (scales 0.9, 1.2 and 1.5, zero padding).
    """
    x1, y1, x2, y2 = (float(value) for value in xyxy_px)
    side = max(1, round(scale * max(x2 - x1, y2 - y1)))
    left, top = round((x1 + x2 - side) / 2), round((y1 + y2 - side) / 2)
    height, width = rgb.shape[:2]
    x_from, x_to = np.clip([left, left + side], 0, width)
    y_from, y_to = np.clip([top, top + side], 0, height)
    square = rgb[y_from:y_to, x_from:x_to]
    inside_share = square.shape[0] * square.shape[1] / side**2
    if inside_share < 1:
        inside, square = square, np.zeros((side, side, 3), np.uint8)
        square[y_from - top : y_to - top, x_from - left : x_to - left] = inside
    return resize(square, size_px), 1.0 - inside_share
