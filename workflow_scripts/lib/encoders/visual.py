"""Visual features: the class token of each crop, averaged over a frame's scales.

Shapes: B crops, S stored side, P input side, H heads, N tokens of a crop, D features.
"""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, Dinov2Model

from workflow_scripts.lib.compute import map_in_threads
from workflow_scripts.lib.encoders.class_token import check_class_token
from workflow_scripts.lib.encoders.preprocessing import centre_crop, decode, to_input
from workflow_scripts.lib.errors import InputError


class VisualEncoder:
    """A Hugging Face vision encoder that takes JPEG crops to their class tokens.

    Its weights are cast to `dtype` once. DINOv2 leaves out what its class token does not depend on. Raises InputError
    for an encoder without a class token.
    """

    def __init__(self, *, encoder: nn.Module, image_px: int, device: str, dtype: torch.dtype):
        check_class_token(encoder)
        self.encoder = encoder.to(device=device, dtype=dtype)
        self.image_px = image_px
        self.device = torch.device(device)
        self.dtype = dtype
        if isinstance(encoder, Dinov2Model):
            blocks = encoder.encoder.layer
            if hasattr(blocks[-1].attention, "q_proj"):  # earlier releases of transformers 5 name it otherwise
                blocks[-1] = ClassTokenBlock(block=blocks[-1])
            if self.device.type == "cpu" and dtype != torch.float32:
                encoder.set_attn_implementation(_BY_CROP)

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
            rgb = decode(jpeg)
            if rgb.shape[0] < self.image_px:
                raise InputError(
                    f"crops are {rgb.shape[0]} px wide but the encoder takes {self.image_px} px; "
                    "set encoders.visual.resize_px to at least encoders.visual.image_px."
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


class ClassTokenBlock(nn.Module):
    """DINOv2's last block for the class token alone: [B, N, D] -> [B, 1, D].

    The other tokens' outputs would enter nothing, so of them only keys and values are computed.
    """

    def __init__(self, *, block: nn.Module):
        super().__init__()
        self.block = block

    def forward(self, hidden_states: torch.Tensor, *args: object, **kwargs: object) -> torch.Tensor:
        block, attention = self.block, self.block.attention
        normed = block.norm1(hidden_states)
        heads = (attention.num_attention_heads, attention.head_dim)
        query, key, value = (
            project(tokens).unflatten(-1, heads).transpose(1, 2)  # [B, H, 1 or N, D / H]
            for project, tokens in (
                (attention.q_proj, normed[:, :1]),
                (attention.k_proj, normed),
                (attention.v_proj, normed),
            )
        )
        attended = scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)  # [B, 1, D]
        token = hidden_states[:, :1] + block.layer_scale1(attention.o_proj(attended))
        return token + block.layer_scale2(block.mlp(block.norm2(token)))


def _attention_by_crop(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float,
    **kwargs: object,
) -> tuple[torch.Tensor, None]:
    """Attention of one crop after the other: [B, H, N, D / H] -> [B, N, H, D / H].

    A crop's weights stay in the cache. On a processor, in half precision, that takes 0.6 of the time of torch's own
    attention, which is made for longer sequences.
    """
    if attention_mask is not None:
        raise ValueError("a vision encoder masks no token")
    attended = query.new_empty(query.transpose(1, 2).shape)
    for crop in range(len(query)):
        weights = torch.softmax(query[crop] * scaling @ key[crop].transpose(-1, -2), dim=-1)
        attended[crop] = (weights @ value[crop]).transpose(0, 1)
    return attended, None


_BY_CROP = "by_crop"
AttentionInterface.register(_BY_CROP, _attention_by_crop)


def add_by_row(totals: np.ndarray, features: np.ndarray, rows: np.ndarray) -> None:
    """Add crop features [B, D] to the rows [B], ascending, of `totals` [N, D] that they belong to."""
    starts = np.flatnonzero(np.diff(rows, prepend=-1))
    totals[rows[starts]] += np.add.reduceat(features, starts, axis=0)
