"""JPEG encoding."""

import io

import numpy as np
from PIL import Image


def encode_jpeg(rgb: np.ndarray, quality: int) -> bytes:
    """Encode uint8 [H, W, 3], RGB, with colour at half resolution (4:2:0), as most videos store it."""
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, format="JPEG", quality=quality, subsampling="4:2:0")
    return buffer.getvalue()
