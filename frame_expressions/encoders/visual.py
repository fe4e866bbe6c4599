"""Visual features: the class token of each crop, averaged over a frame's scales.

Shapes: B crops, P input side, D features.
"""

from collections.abc import Callable, Iterable, Iterator

import cv2
import numpy as np
import torch
from torch import nn
from transformers import Dinov2Model

from frame_expressions.encoders.class_token import check_class_token
from frame_expressions.encoders.dinov2_inference import optimise_for_inference
from frame_expressions.encoders.preprocessing import centre_crop, to_input
from frame_expressions.networks.device import map_in_threads
from frame_expressions.runtime.errors import InputError


class VisualEncoder:
    """A Hugging Face vision encoder that takes JPEG crops to their class tokens.

    `encoder` is in float32 and becomes the VisualEncoder's own: it is shortened and cast to `dtype`. Raises InputError
    for an encoder without a class token.
    """

    def __init__(self, *, encoder: nn.Module, image_px: int, device: str, dtype: torch.dtype):
        check_class_token(encoder)
        self.image_px = image_px
        self.device = torch.device(device)
        self.dtype = dtype
        if isinstance(encoder, Dinov2Model):
            optimise_for_inference(encoder, image_px, self.device, dtype)
        self.encoder = encoder.to(device=device, dtype=dtype)

    def embed(self, batches: Iterable[list[bytes]], num_threads: int) -> Iterator[np.ndarray]:
        """Embed batches of JPEG crops (square, RGB): float32 [B, D] for each, in order.

        On a processor each thread takes a batch of its own; before a GPU they decode the next ones. Raises InputError
        for crops that are smaller than the encoder's input.
        """
        if self.device.type == "cpu":
            yield from map_in_threads(lambda jpegs: self._tokens(self._crops(jpegs)).numpy(), batches, num_threads)
            return
        finish_last = None
        for crops in map_in_threads(self._crops, batches, num_threads):
            finish = self._start(crops)
            if finish_last:
                yield finish_last()
            finish_last = finish
        if finish_last:
            yield finish_last()

    def _crops(self, jpegs: list[bytes]) -> torch.Tensor:
        """Decode crops and keep what the encoder sees of them: uint8 [B, P, P, 3]."""
        shape = (len(jpegs), self.image_px, self.image_px, 3)
        crops = torch.empty(shape, dtype=torch.uint8, pin_memory=self.device.type == "cuda")
        for jpeg, out in zip(jpegs, crops.numpy(), strict=True):
            rgb = decode_crop(jpeg)
            if rgb.shape[0] < self.image_px:
                raise InputError(
                    f"crops are {rgb.shape[0]} px wide but the encoder takes {self.image_px} px",
                    "set encoders.visual.resize_px to at least encoders.visual.image_px",
                )
            out[:] = centre_crop(rgb.transpose(2, 0, 1), self.image_px).transpose(1, 2, 0)
        return crops

    @torch.inference_mode()
    def _tokens(self, crops: torch.Tensor) -> torch.Tensor:
        """uint8 [B, P, P, 3] -> class tokens, float32 [B, D], on the encoder's device."""
        pixel_values = to_input(crops.to(self.device, non_blocking=True), self.image_px)
        return self.encoder(pixel_values=pixel_values.to(self.dtype)).last_hidden_state[:, 0].float()

    def _start(self, crops: torch.Tensor) -> Callable[[], np.ndarray]:
        """Give a batch to the GPU; the call that is returned waits for its class tokens."""
        tokens = self._tokens(crops)
        host = torch.empty(tokens.shape, pin_memory=True)
        host.copy_(tokens, non_blocking=True)
        copied = torch.cuda.Event()
        copied.record()

        def finish() -> np.ndarray:
            copied.synchronize()
            return host.numpy()

        return finish


def decode_crop(jpeg: bytes) -> np.ndarray:
    """Decode a JPEG that the workflow made to uint8 [H, W, 3], RGB: the pixels of `preprocessing.decode`.

    OpenCV lets other threads run all the while, and Pillow does not: before a GPU, many decode at once. Raises
    InputError for damaged bytes.
    """
    rgb = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR_RGB)
    if rgb is None:
        raise InputError("a crop is no readable JPEG", "delete the file of crops and run again")
    return rgb


def add_by_row(totals: np.ndarray, features: np.ndarray, rows: np.ndarray) -> None:
    """Add crop features [B, D] to the rows [B], ascending, of `totals` [N, D] that they belong to."""
    starts = np.flatnonzero(np.diff(rows, prepend=-1))
    totals[rows[starts]] += np.add.reduceat(features, starts, axis=0)
