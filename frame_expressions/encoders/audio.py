"""Audio features: hidden states of a speech encoder, averaged over the window of each frame.

Shapes: N samples, L hidden frames, T video frames, D features.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from frame_expressions.networks.device import map_in_threads
from frame_expressions.runtime.errors import InputError


def layer_indices(layers: str, num_layers: int) -> list[int]:
    """Indices into `hidden_states` (0 is the input to the first layer) for `last<n>` or `first<n>`.

    `last4` are the outputs of the last four transformer layers, as the paper says; `first4` those of the
    first four, as the authors' code does.
    """
    side, count = ("last", layers[4:]) if layers.startswith("last") else ("first", layers[5:])
    if not count.isdigit() or not 1 <= int(count) <= num_layers:
        raise InputError(f"audio layers {layers!r}: the encoder has {num_layers} transformer layers")
    number = int(count)
    return list(range(num_layers - number + 1, num_layers + 1) if side == "last" else range(1, number + 1))


class AudioEncoder:
    """A Hugging Face speech encoder with its waveform normalisation and choice of layers.

    Layers behind the last one that is chosen are taken off.
    """

    def __init__(self, *, encoder: nn.Module, feature_extractor, layers: str, device: str, dtype: torch.dtype):
        self.layers = layer_indices(layers, encoder.config.num_hidden_layers)
        del encoder.encoder.layers[self.layers[-1] :]
        self.encoder = encoder.to(device)
        self.feature_extractor = feature_extractor
        self.device = device
        self.dtype = dtype
        self.stride = int(np.prod(encoder.config.conv_stride))
        self.receptive_field = _receptive_field(encoder.config.conv_kernel, encoder.config.conv_stride)

    @torch.inference_mode()
    def hidden_states(self, samples: np.ndarray) -> np.ndarray:
        """Mean of the chosen layers over 16 kHz samples [N] float32: [L, D] float32, L = 0 if too few."""
        if len(samples) < self.receptive_field:
            return np.zeros((0, self.encoder.config.hidden_size), dtype=np.float32)
        inputs = {"input_values": torch.from_numpy(np.ascontiguousarray(samples))[None]}
        if self.feature_extractor is not None:
            inputs = dict(self.feature_extractor(samples, sampling_rate=16_000, return_tensors="pt"))
        inputs = {name: tensor.to(self.device) for name, tensor in inputs.items()}
        with torch.autocast(torch.device(self.device).type, dtype=self.dtype, enabled=self.dtype != torch.float32):
            output = self.encoder(**inputs, output_hidden_states=True)
        chosen = torch.stack([output.hidden_states[index][0] for index in self.layers])  # [layers, L, D]
        return chosen.float().mean(dim=0).cpu().numpy()

    def centres(self, num_hidden: int) -> np.ndarray:
        """Sample position at the middle of each hidden frame's receptive field: [L]."""
        return np.arange(num_hidden) * self.stride + self.receptive_field / 2


@dataclass(frozen=True)
class Piece:
    """Samples [N] that are forwarded together, and the windows [R, 2] on them whose means add to `rows` [R]."""

    samples: np.ndarray
    windows: np.ndarray
    rows: np.ndarray


def chunks(samples: np.ndarray, windows: np.ndarray, rows: np.ndarray, chunk_samples: int) -> Iterator[Piece]:
    """Cut a recording [N] into chunks, each with the windows [T, 2] of samples that reach into it, for `rows` [T].

    Chunks that no window reaches into are left out. Source: the authors' extraction (20 s chunks).
    """
    for start in range(0, len(samples), chunk_samples):
        reach = (windows[:, 0] < start + chunk_samples) & (windows[:, 1] > start)
        if reach.any():
            yield Piece(samples[start : start + chunk_samples], windows[reach] - start, rows[reach])


def single_windows(samples: np.ndarray, windows: np.ndarray, rows: np.ndarray) -> Iterator[Piece]:
    """Cut every window [T, 2] out of a recording [N]; what lies outside of it is silence.

    Source: the paper's abstract.
    """
    for (start, end), row in zip(windows, rows, strict=True):
        window = np.zeros(end - start, dtype=np.float32)
        inside = samples[max(start, 0) : max(end, 0)]
        offset = max(-start, 0)
        window[offset : offset + len(inside)] = inside
        yield Piece(window, np.array([[0, len(window)]]), np.array([row]))


def window_means(encoder: AudioEncoder, pieces: Iterable[Piece], num_rows: int, num_threads: int) -> np.ndarray:
    """Average the hidden frames that are centred in each row's window: float32 [num_rows, D].

    A row that no hidden frame falls to gets zeros. On a processor each thread forwards a piece of its own.
    """
    means = np.zeros((num_rows, encoder.encoder.config.hidden_size), dtype=np.float32)
    count = np.zeros(num_rows, dtype=np.int64)

    def forward(piece: Piece) -> tuple[Piece, np.ndarray]:
        return piece, encoder.hidden_states(piece.samples)

    num_threads = num_threads if encoder.device == "cpu" else 1
    for piece, hidden in map_in_threads(forward, pieces, num_threads):
        first, last = np.searchsorted(encoder.centres(len(hidden)), piece.windows).T
        running = np.concatenate([np.zeros((1, hidden.shape[1])), np.cumsum(hidden, axis=0, dtype=np.float64)])
        means[piece.rows] += running[last] - running[first]
        count[piece.rows] += last - first
    means /= np.maximum(count, 1)[:, None]
    return means


def _receptive_field(kernels: list[int], strides: list[int]) -> int:
    field, step = 1, 1
    for kernel, stride in zip(kernels, strides, strict=True):
        field += (kernel - 1) * step
        step *= stride
    return field
