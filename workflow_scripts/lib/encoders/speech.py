"""Audio features: hidden states of a speech encoder, averaged over the window of each frame.

Shapes: N samples, L hidden frames, T video frames, D features.
"""

import numpy as np
import torch
from torch import nn

from workflow_scripts.lib.errors import InputError


def layer_indices(layers: str, num_layers: int) -> list[int]:
    """Indices into `hidden_states` (0 is the input to the first layer) for `last<n>` or `first<n>`.

    `last4` are the outputs of the last four transformer layers, as the paper says; `first4` those of the
    first four, as the authors' code does.
    """
    side, count = ("last", layers[4:]) if layers.startswith("last") else ("first", layers[5:])
    if not count.isdigit() or not 1 <= int(count) <= num_layers:
        raise InputError(f"audio layers {layers!r}: the encoder has {num_layers} transformer layers.")
    number = int(count)
    return list(range(num_layers - number + 1, num_layers + 1) if side == "last" else range(1, number + 1))


class SpeechEncoder:
    """A Hugging Face speech encoder with its waveform normalisation and choice of layers."""

    def __init__(self, *, encoder: nn.Module, feature_extractor, layers: str, device: str, dtype: torch.dtype):
        self.encoder = encoder.to(device)
        self.feature_extractor = feature_extractor
        self.layers = layer_indices(layers, encoder.config.num_hidden_layers)
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


def chunked_features(
    encoder: SpeechEncoder, samples: np.ndarray, windows: np.ndarray, chunk_samples: int
) -> np.ndarray:
    """Forward [N] samples in chunks and average, per window [T, 2] of samples, the hidden frames centred in it.

    Returns [T, D] float32; a window that no hidden frame's centre falls into gets zeros.
    Source: the authors' extraction (20 s chunks).
    """
    states, centres = [], []
    for start in range(0, len(samples), chunk_samples):
        hidden = encoder.hidden_states(samples[start : start + chunk_samples])
        states.append(hidden)
        centres.append(start + encoder.centres(len(hidden)))
    if not states:
        return np.zeros((len(windows), encoder.encoder.config.hidden_size), dtype=np.float32)
    hidden, centre = np.concatenate(states), np.concatenate(centres)
    sums = np.concatenate([np.zeros((1, hidden.shape[1])), np.cumsum(hidden, axis=0, dtype=np.float64)])
    first, last = np.searchsorted(centre, windows[:, 0]), np.searchsorted(centre, windows[:, 1])
    count = np.maximum(last - first, 1)[:, None]
    return ((sums[last] - sums[first]) / count).astype(np.float32)


def windowed_features(encoder: SpeechEncoder, samples: np.ndarray, windows: np.ndarray) -> np.ndarray:
    """Forward each window [T, 2] of the samples [N] alone and average all its hidden frames: [T, D] float32.

    The part of a window outside the recording is silence. Source: the paper's abstract.
    """
    features = np.zeros((len(windows), encoder.encoder.config.hidden_size), dtype=np.float32)
    for row, (start, end) in enumerate(windows):
        window = np.zeros(end - start, dtype=np.float32)
        inside = samples[max(start, 0) : max(end, 0)]
        offset = max(-start, 0)
        window[offset : offset + len(inside)] = inside
        hidden = encoder.hidden_states(window)
        if len(hidden):
            features[row] = hidden.mean(axis=0)
    return features


def _receptive_field(kernels: list[int], strides: list[int]) -> int:
    field, step = 1, 1
    for kernel, stride in zip(kernels, strides, strict=True):
        field += (kernel - 1) * step
        step *= stride
    return field
