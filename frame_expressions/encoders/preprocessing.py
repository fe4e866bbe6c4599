"""The one way from an image to the vision encoder's input, for training, validation and extraction alike.

Shapes: B images, S stored side, P input side; RGB throughout.
"""

import io
import struct
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps

from frame_expressions.encoders.processor_config import IMAGENET_MEAN, IMAGENET_STD

FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "TIFF", "GIF")
"""Accepted image formats. Pillow reads others, one of which (EPS) starts a program."""

UNREADABLE = (OSError, SyntaxError, ValueError, struct.error, Image.DecompressionBombError)
"""Exceptions of `decode` for an image that is damaged (struct.error: its EXIF data), in another format, or has more
pixels than Pillow accepts."""


def decode(image: bytes | Path) -> np.ndarray:
    """Decode an encoded image or image file to uint8 [H, W, 3], RGB; grey images get three equal channels.

    A photo is turned upright according to its EXIF data. Raises one of UNREADABLE.
    """
    with Image.open(io.BytesIO(image) if isinstance(image, bytes) else image, formats=FORMATS) as opened:
        ImageOps.exif_transpose(opened, in_place=True)  # in place: avoids copying upright images
        if opened.mode.startswith("I;16"):  # 16-bit grey, which Pillow would clip at 255
            return np.repeat((np.asarray(opened) >> 8).astype(np.uint8)[..., None], 3, axis=2)
        return np.asarray(opened if opened.mode == "RGB" else opened.convert("RGB"))  # convert always copies


def to_input(images: torch.Tensor, image_px: int) -> torch.Tensor:
    """Centre-crop uint8 [B, S, S, 3] to P and normalise by ImageNet's statistics: float32 [B, 3, P, P]."""
    cropped = centre_crop(images.permute(0, 3, 1, 2), image_px)  # first, to skip the arithmetic on the border
    return normalise(to_unit(cropped.permute(0, 2, 3, 1)))


def to_unit(images: torch.Tensor) -> torch.Tensor:
    """uint8 [B, S, S, 3] -> float32 [B, 3, S, S] in [0, 1]."""
    return images.permute(0, 3, 1, 2).float() / 255.0


def centre_crop(images: torch.Tensor, image_px: int) -> torch.Tensor:
    """Cut the middle P x P of [..., S, S]; S must be at least P."""
    start = (images.shape[-1] - image_px) // 2
    return images[..., start : start + image_px, start : start + image_px]


def normalise(images: torch.Tensor) -> torch.Tensor:
    """Subtract ImageNet's mean and divide by its standard deviation, per channel of [B, 3, P, P]."""
    # Non-blocking: the GPU may still be busy with the previous batch.
    mean, std = (
        torch.tensor(values).view(1, 3, 1, 1).to(images.device, non_blocking=True)
        for values in (IMAGENET_MEAN, IMAGENET_STD)
    )
    return (images - mean) / std
