"""Visual features: the class token of each crop, averaged over a frame's scales.

Shapes: B crops of a batch, N crops in all, T frames, P input side, D features.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn
from transformers import Dinov2Model

from frame_expressions.encoders.class_token import check_class_token
from frame_expressions.encoders.dinov2_inference import optimise_for_inference
from frame_expressions.encoders.loading import load_encoder
from frame_expressions.encoders.preprocessing import centre_crop, to_input
from frame_expressions.networks.device import DTYPES, map_in_threads
from frame_expressions.runtime.errors import InputError
from frame_expressions.runtime.job import progress


@dataclass(frozen=True)
class VisualFeatureSettings:
    """The block `features.visual`, the crops' scales that are averaged, and the encoder's input side in pixels.

    batch_size: crops per forward pass. dtype: precision of the network, a key of `device.DTYPES`.
    """

    scales: Sequence[float]
    image_px: int
    batch_size: int
    dtype: str


class VisualEncoder:
    """A Hugging Face vision encoder that maps JPEG crops to their class tokens.

    The VisualEncoder takes over `encoder`, a float32 network: it optimises it for inference and casts it to `dtype`.
    Raises InputError for an encoder without a class token.
    """

    def __init__(self, *, encoder: nn.Module, image_px: int, device: str, dtype: torch.dtype):
        check_class_token(encoder)
        self.image_px = image_px
        self.device = torch.device(device)
        self.dtype = dtype
        if isinstance(encoder, Dinov2Model):
            optimise_for_inference(encoder, image_px, self.device, dtype)
        self.encoder = encoder.to(device=device, dtype=dtype)
        self.num_features = encoder.config.hidden_size

    def embed(self, batches: Iterable[list[bytes]], num_threads: int) -> Iterator[np.ndarray]:
        """Embed batches of JPEG crops (square, RGB): float32 [B, D] for each batch, in order.

        On the CPU, each thread embeds a batch of its own; with a GPU, the threads decode the next batches. Raises
        InputError for crops that are smaller than the encoder's input.
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
        """Decode crops and cut out the encoder's input: uint8 [B, P, P, 3]."""
        shape = (len(jpegs), self.image_px, self.image_px, 3)
        crops = torch.empty(shape, dtype=torch.uint8, pin_memory=self.device.type == "cuda")
        for jpeg, out in zip(jpegs, crops.numpy(), strict=True):
            rgb = decode_crop(jpeg)
            if rgb.shape[0] < self.image_px:
                raise InputError(
                    f"The crops are {rgb.shape[0]} px wide, but the encoder takes {self.image_px} px",
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
        """Start a batch on the GPU; calling the returned function waits for its class tokens."""
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
    """Decode a JPEG written by this workflow to uint8 [H, W, 3], RGB: the same pixels as `preprocessing.decode`.

    OpenCV releases the interpreter lock while it decodes, Pillow does not; with a GPU, many threads decode in parallel.
    Raises InputError for damaged bytes.
    """
    rgb = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR_RGB)
    if rgb is None:
        raise InputError("A crop is not a readable JPEG", "delete its file in results/crops and run the workflow again")
    return rgb


def load_visual_encoder(folder: Path, settings: VisualFeatureSettings, device: str) -> VisualEncoder:
    """Load an encoder in Hugging Face layout as a VisualEncoder on `device`. Raises InputError as `load_encoder`."""
    return VisualEncoder(
        encoder=load_encoder(folder), image_px=settings.image_px, device=device, dtype=DTYPES[settings.dtype]
    )


def embed_crops(
    encoder: VisualEncoder,
    jpegs: Iterable[bytes],
    rows: np.ndarray,
    *,
    num_rows: int,
    batch_size: int,
    num_threads: int,
) -> np.ndarray:
    """Average the class tokens of each row's crops: float32 [T, D] for T = `num_rows`; rows without crops are zeros.

    jpegs: N crops (square, RGB), read as they are needed. rows [N], ascending: the row that each crop belongs to.
    Batches do not end where a row or a track does.
    """
    values = np.zeros((num_rows, encoder.num_features), np.float32)
    jpegs = iter(jpegs)
    batches = iter(lambda: list(islice(jpegs, batch_size)), [])
    num_batches = -(-len(rows) // batch_size)
    done = 0
    for tokens in progress(encoder.embed(batches, num_threads), num_batches, "embedding crops", "batches"):
        add_by_row(values, tokens, rows[done : done + len(tokens)])
        done += len(tokens)
    values /= np.maximum(np.bincount(rows, minlength=num_rows), 1)[:, None]
    return values


def add_by_row(totals: np.ndarray, features: np.ndarray, rows: np.ndarray) -> None:
    """Add crop features [B, D] to their rows [B], ascending, of `totals` [T, D]."""
    starts = np.flatnonzero(np.diff(rows, prepend=-1))
    totals[rows[starts]] += np.add.reduceat(features, starts, axis=0)
