"""The project's one way to resize a face, in training and in inference alike."""

import numpy as np
from PIL import Image


def resize(rgb: np.ndarray, size_px: int) -> np.ndarray:
    """Resize uint8 [H, W, 3] to [size_px, size_px, 3], bicubic with antialiasing (Pillow)."""
    if rgb.shape[:2] == (size_px, size_px):
        return rgb
    return np.asarray(Image.fromarray(rgb).resize((size_px, size_px), Image.Resampling.BICUBIC))
