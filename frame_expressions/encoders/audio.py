"""Audio features: hidden states of a speech encoder, averaged over the window of each video frame.

Shapes: N samples, L hidden frames, T video frames, R windows of a piece, D features.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
import torch
from torch import nn

from frame_expressions.encoders.loading import load_encoder, load_feature_extractor
from frame_expressions.media.audio import SAMPLE_RATE
from frame_expressions.media.audio_windows import windows_near_samples, windows_near_steps
from frame_expressions.networks.device import DTYPES, map_in_threads
from frame_expressions.runtime.errors import InputError


@dataclass(frozen=True)
class AudioFeatureSettings:
    """The block `features.audio`.

    layers: `last<n>` or `first<n>`, see `layer_indices`. normalise: prepare the waveform with the checkpoint's feature
    extractor; otherwise it is used as it is. mode: `chunked` (chunks of `chunk_s` seconds) or `windowed` (each
    window). min_tail_s: a last chunk shorter than this joins the one before it. dtype: precision of the network, a key
    of `device.DTYPES`.
    """

    layers: str
    normalise: bool
    mode: str
    chunk_s: float
    min_tail_s: float
    dtype: str


def layer_indices(layers: str, num_layers: int) -> list[int]:
    """Indices into `hidden_states` (0 is the input to the first layer) for `last<n>` or `first<n>`.

    `last4` are the outputs of the last four transformer layers, as in the paper; `first4` those of the first four, as
    in the authors' code.
    """
    side, count = ("last", layers[4:]) if layers.startswith("last") else ("first", layers[5:])
    if not count.isdigit() or not 1 <= int(count) <= num_layers:
        raise InputError(
            f"features.audio.layers is {layers!r}, but the encoder has {num_layers} transformer layers",
            f"choose last<n> or first<n> with n from 1 to {num_layers}",
        )
    number = int(count)
    return list(range(num_layers - number + 1, num_layers + 1) if side == "last" else range(1, number + 1))


class AudioEncoder:
    """A Hugging Face speech encoder with its waveform normalisation and choice of layers.

    Layers after the last chosen one are removed.
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
        self.num_features = encoder.config.hidden_size

    @torch.inference_mode()
    def hidden_states(self, samples: np.ndarray) -> np.ndarray:
        """Mean of the chosen layers over 16 kHz samples [N] float32: [L, D] float32, L = 0 if too few."""
        if len(samples) < self.receptive_field:
            return np.zeros((0, self.num_features), dtype=np.float32)
        inputs = {"input_values": torch.from_numpy(np.ascontiguousarray(samples))[None]}
        if self.feature_extractor is not None:
            inputs = dict(self.feature_extractor(samples, sampling_rate=SAMPLE_RATE, return_tensors="pt"))
        inputs = {name: tensor.to(self.device) for name, tensor in inputs.items()}
        with torch.autocast(torch.device(self.device).type, dtype=self.dtype, enabled=self.dtype != torch.float32):
            output = self.encoder(**inputs, output_hidden_states=True)
        chosen = torch.stack([output.hidden_states[index][0] for index in self.layers])  # [layers, L, D]
        return chosen.float().mean(dim=0).cpu().numpy()

    def centres(self, num_hidden: int) -> np.ndarray:
        """Sample position at the middle of each hidden frame's receptive field: [L]."""
        return np.arange(num_hidden) * self.stride + self.receptive_field / 2

    def num_hidden(self, num_samples: int) -> int:
        """Number of hidden frames of so many samples, L."""
        return max(0, (num_samples - self.receptive_field) // self.stride + 1)


@dataclass(frozen=True)
class Piece:
    """Samples [N] of one forward pass, and the windows [R, 2] on them whose sums are added to the rows [R]."""

    samples: np.ndarray
    windows: np.ndarray
    rows: np.ndarray


def chunk_bounds(num_samples: int, chunk_samples: int, min_tail_samples: int) -> np.ndarray:
    """Start and end of each chunk of a recording, int64 [K, 2]; a shorter last one joins the one before it.

    Source: the authors' extraction (chunks of 20 s, joined below 1 s).
    """
    starts = np.arange(0, num_samples, chunk_samples)
    if len(starts) > 1 and num_samples - starts[-1] < min_tail_samples:
        starts = starts[:-1]
    return np.stack([starts, np.append(starts[1:], num_samples)[: len(starts)]], axis=1)


def chunks(samples: np.ndarray, windows: np.ndarray, rows: np.ndarray, bounds: np.ndarray) -> Iterator[Piece]:
    """Cut a recording [N] into chunks, each with the windows [T, 2] (in samples) that overlap it and their rows [T].

    bounds: see `chunk_bounds`. Chunks that no window overlaps are left out.
    """
    for start, end in bounds.tolist():
        reach = (windows[:, 0] < end) & (windows[:, 1] > start)
        if reach.any():
            yield Piece(samples[start:end], windows[reach] - start, rows[reach])


def single_windows(samples: np.ndarray, windows: np.ndarray, rows: np.ndarray) -> Iterator[Piece]:
    """Cut every window [T, 2] out of a recording [N]; samples outside the recording are silence (zeros).

    Consecutive windows that are equal are one piece. Source: the paper's abstract.
    """
    for (start, end), places in groupby(range(len(windows)), lambda place: tuple(windows[place])):
        own = rows[list(places)]
        window = np.zeros(end - start, dtype=np.float32)
        inside = samples[max(start, 0) : max(end, 0)]
        offset = max(-start, 0)
        window[offset : offset + len(inside)] = inside
        yield Piece(window, np.repeat([[0, len(window)]], len(own), axis=0), own)


def window_means(encoder: AudioEncoder, pieces: Iterable[Piece], num_rows: int, num_threads: int) -> np.ndarray:
    """Average the hidden frames that are centred in each row's window: float32 [num_rows, D].

    A row without hidden frames gets zeros. On the CPU, each thread forwards a piece of its own.
    """
    means = np.zeros((num_rows, encoder.num_features), dtype=np.float32)
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


def load_audio_encoder(folder: Path, settings: AudioFeatureSettings, device: str) -> AudioEncoder:
    """Load an encoder in Hugging Face layout as an AudioEncoder on `device`. Raises InputError as `load_encoder`."""
    return AudioEncoder(
        encoder=load_encoder(folder),
        feature_extractor=load_feature_extractor(folder) if settings.normalise else None,
        layers=settings.layers,
        device=device,
        dtype=DTYPES[settings.dtype],
    )


def embed_audio(
    encoder: AudioEncoder,
    recordings: Iterable[tuple[np.ndarray, np.ndarray, np.ndarray, tuple[int, int]]],
    settings: AudioFeatureSettings,
    *,
    silence: str,
    num_rows: int,
    num_threads: int,
) -> np.ndarray:
    """Average the hidden states over each row's window: float32 [num_rows, D]; rows without a window are zeros.

    recordings: 16 kHz samples [N] float32, windows [T, 2] in samples, their rows [T], and the first and the end of the
    samples that were recorded, see `audio.aligned_audio`; read as they are needed.
    silence: see `audio.AudioSettings`. With `encoded`, only what was recorded is encoded; a window without a hidden
    step (or, if `mode` is `windowed`, without a sample) takes the nearest step (or window).
    """
    chunk_samples, min_tail_samples = (round(s * SAMPLE_RATE) for s in (settings.chunk_s, settings.min_tail_s))

    def pieces() -> Iterator[Piece]:
        for samples, windows, rows, recorded in recordings:
            if silence == "encoded":
                samples, windows = _recorded_part(samples, windows, recorded, encoder.receptive_field)
            if settings.mode == "chunked":
                bounds = chunk_bounds(len(samples), chunk_samples, min_tail_samples)
                if silence == "encoded":
                    windows = windows_near_steps(windows, _steps(encoder, bounds))
                yield from chunks(samples, windows, rows, bounds)
            else:
                if silence == "encoded":
                    windows = windows_near_samples(windows, len(samples))
                yield from single_windows(samples, windows, rows)

    return window_means(encoder, pieces(), num_rows, num_threads)


def _recorded_part(
    samples: np.ndarray, windows: np.ndarray, recorded: tuple[int, int], shortest: int
) -> tuple[np.ndarray, np.ndarray]:
    """The samples that were recorded, and the windows on them; if too few for a step, with the silence around."""
    first, end = recorded
    if end - first < shortest:
        first, end = 0, len(samples)
        samples = np.pad(samples, (0, max(0, shortest - end)))
        end = len(samples)
    return samples[first:end], windows - first


def _steps(encoder: AudioEncoder, bounds: np.ndarray) -> np.ndarray:
    """Sample position of every hidden step of the chunks, [L], increasing."""
    return np.concatenate([start + encoder.centres(encoder.num_hidden(end - start)) for start, end in bounds.tolist()])


def _receptive_field(kernels: list[int], strides: list[int]) -> int:
    field, step = 1, 1
    for kernel, stride in zip(kernels, strides, strict=True):
        field += (kernel - 1) * step
        step *= stride
    return field
