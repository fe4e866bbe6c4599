"""Visual features: the CLS token of each crop, averaged over a frame's scales.

Shapes: B crops, S stored side, P input side, D features.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import nn

from workflow_scripts.lib.encoders.preprocessing import decode, to_input
from workflow_scripts.lib.errors import InputError


@torch.inference_mode()
def embed_crops(
    encoder: nn.Module,
    jpegs: Sequence[bytes],
    *,
    image_px: int,
    device: str,
    dtype: torch.dtype,
    decoders: ThreadPoolExecutor,
) -> np.ndarray:
    """Embed one batch of JPEG crops (square, RGB): float32 [B, D]."""
    crops = np.stack(list(decoders.map(decode, jpegs)))  # [B, S, S, 3]
    if crops.shape[1] < image_px:
        raise InputError(
            f"crops are {crops.shape[1]} px wide but the encoder takes {image_px} px; "
            "set crops.size_px to at least encoders.visual.image_px."
        )
    pixel_values = to_input(torch.from_numpy(crops).to(device), image_px)
    with torch.autocast(torch.device(device).type, dtype=dtype, enabled=dtype != torch.float32):
        cls = encoder(pixel_values=pixel_values).last_hidden_state[:, 0]
    return cls.float().cpu().numpy()


def mean_over_scales(features: np.ndarray, frame: np.ndarray, num_frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Average crop features [B, D] by their 1-based `frame` [B], every scale that is there counting alike.

    Returns [num_frames, D] float32, zeros for a frame without crops, and the number of scales per frame.
    """
    total = np.zeros((num_frames, features.shape[1]), dtype=np.float32)
    np.add.at(total, frame - 1, features)
    count = np.bincount(frame - 1, minlength=num_frames)
    return total / np.maximum(count, 1)[:, None], count
