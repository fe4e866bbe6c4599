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
"""Formats of images; Pillow knows others, one of which starts a program to be read (EPS)."""

UNREADABLE = (OSError, SyntaxError, ValueError, struct.error, Image.DecompressionBombError)
"""What `decode` raises for an image that is damaged (the last but one: its EXIF data), in another format, or has more
pixels than Pillow takes."""


def decode(image: bytes | Path) -> np.ndarray:
    """Decode an encoded image or image file to uint8 [H, W, 3], RGB; grey images get three equal channels.

    A photo is turned upright, as its EXIF data say. Raises one of UNREADABLE.
    """
    with Image.open(io.BytesIO(image) if isinstance(image, bytes) else image, formats=FORMATS) as opened:
        ImageOps.exif_transpose(opened, in_place=True)  # in place, or an upright one would be copied
        if opened.mode.startswith("I;16"):  # grey of 16 bits, which Pillow would cut off at 255
            return np.repeat((np.asarray(opened) >> 8).astype(np.uint8)[..., None], 3, axis=2)
        return np.asarray(opened if opened.mode == "RGB" else opened.convert("RGB"))  # converting would copy


def to_input(images: torch.Tensor, image_px: int) -> torch.Tensor:
    """Centre-crop uint8 [B, S, S, 3] to P and normalise by ImageNet's statistics: float32 [B, 3, P, P]."""
    cropped = centre_crop(images.permute(0, 3, 1, 2), image_px)  # first, since the border need not be computed with
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
    # Not blocking, since a GPU may still be at work on the batch before.
    mean, std = (
        torch.tensor(values).view(1, 3, 1, 1).to(images.device, non_blocking=True)
        for values in (IMAGENET_MEAN, IMAGENET_STD)
    )
    return (images - mean) / std
