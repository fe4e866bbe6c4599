"""Frames of Stage II's training: features that may still be on disk, and their shuffled batches.

Shapes: N frames, M rows of a buffer, B frames of a batch, V visual and A audio features.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch

from frame_expressions.artifacts.feature_shards import FeatureRows

BUFFER_BYTES = 256 * 2**20
"""Features shuffled together. Twice as much is in memory, because the next buffer is read at the same time."""

BLOCK_ROWS = 256
"""Neighbouring rows that are read, and shuffled over a corpus larger than the buffer, as one block."""


@dataclass(frozen=True)
class Frames:
    """Features and labels of many frames.

    visual [N, V], audio [N, A]: float16. visual_present, audio_present: bool [N]. labels: int8 [N].
    """

    visual: np.ndarray | FeatureRows
    audio: np.ndarray | FeatureRows
    visual_present: np.ndarray
    audio_present: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def inputs(self) -> tuple[np.ndarray | FeatureRows, ...]:
        """The four inputs of a fusion model; the features may still be on disk."""
        return self.visual, self.audio, self.visual_present, self.audio_present

    def features(self, rows: np.ndarray | slice = slice(None)) -> tuple[np.ndarray, ...]:
        """The four inputs of a fusion model as arrays, for some rows."""
        return tuple(part[rows] for part in self.inputs)

    def read(self, rows: np.ndarray, visual: np.ndarray, audio: np.ndarray) -> "Frames":
        """Some rows [M] in memory; their features are written into the first M rows of `visual` and `audio`."""
        return Frames(
            self.visual.take(rows, axis=0, out=visual[: len(rows)]),
            self.audio.take(rows, axis=0, out=audio[: len(rows)]),
            self.visual_present[rows],
            self.audio_present[rows],
            self.labels[rows],
        )


def in_buffers(rows: np.ndarray, buffer_rows: int, block_rows: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Divide rows [N] into buffers of `buffer_rows`, the last one smaller, each in ascending order.

    Rows that do not fit into one buffer are shuffled in blocks of `block_rows` neighbours, so that each buffer holds
    rows from the whole corpus and the disk reads long stretches.
    """
    if len(rows) > buffer_rows:
        blocks = np.array_split(rows, -(-len(rows) // block_rows))
        rows = np.concatenate([blocks[number] for number in rng.permutation(len(blocks))])
    return [np.sort(rows[start : start + buffer_rows]) for start in range(0, len(rows), buffer_rows)]


class ShuffledBatches:
    """Batches of some rows of `frames`, reshuffled at each iteration: four inputs of a fusion model, labels [B] int64.

    Equals a DataLoader with shuffle=True where all rows fit into one buffer of BUFFER_BYTES. Otherwise rows are
    shuffled within a buffer while a thread reads the next one. The order depends only on `rng`.
    """

    def __init__(self, frames: Frames, rows: np.ndarray, batch_size: int, rng: np.random.Generator, device: str):
        self._frames, self._rows, self._batch_size, self._rng, self._device = frames, rows, batch_size, rng, device
        widths = frames.visual.shape[1], frames.audio.shape[1]
        self._buffer_rows = max(1, BUFFER_BYTES // (2 * sum(widths) * batch_size)) * batch_size
        # Buffers are reused: allocating new memory takes longer than reading into it.
        count, height = (1, len(rows)) if len(rows) <= self._buffer_rows else (2, self._buffer_rows)
        self._places = [[np.empty((height, width), np.float16) for width in widths] for _ in range(count)]

    def __iter__(self) -> Iterator[tuple[tuple[torch.Tensor, ...], torch.Tensor]]:
        buffers = in_buffers(self._rows, self._buffer_rows, BLOCK_ROWS, self._rng)
        with ThreadPoolExecutor(1) as reader:
            coming = reader.submit(self._frames.read, buffers[0], *self._places[0])
            for number in range(len(buffers)):
                buffer = coming.result()
                if number + 1 < len(buffers):
                    coming = reader.submit(self._frames.read, buffers[number + 1], *self._places[(number + 1) % 2])
                order = self._rng.permutation(len(buffer))
                for start in range(0, len(order), self._batch_size):
                    chosen = np.sort(order[start : start + self._batch_size])  # copying neighbours is faster
                    target = torch.from_numpy(buffer.labels[chosen].astype(np.int64)).to(self._device)
                    yield tuple(torch.from_numpy(array).to(self._device) for array in buffer.features(chosen)), target
