"""Stage II's training on features that are already extracted.

Shapes: N frames, B frames of a batch, C classes.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from frame_expressions.artifacts.feature_shards import FeatureRows
from frame_expressions.artifacts.vocabulary import UNLABELLED
from frame_expressions.challenge.scores import macro_f1
from frame_expressions.fusion.inference import predict_logits
from frame_expressions.fusion.model import FusionModel
from frame_expressions.networks.device import DTYPES
from frame_expressions.networks.losses import class_weights
from frame_expressions.runtime.errors import InputError

BUFFER_BYTES = 256 * 2**20
"""Features that are shuffled together; twice this is in memory, since the next ones are read meanwhile."""

BLOCK_ROWS = 256
"""Rows that are read, and shuffled over a corpus larger than the buffer, as one."""


@dataclass(frozen=True)
class Frames:
    """Features and classes of many frames: visual [N, V], audio [N, A] float16, presence [N], labels [N]."""

    visual: np.ndarray | FeatureRows
    audio: np.ndarray | FeatureRows
    visual_present: np.ndarray
    audio_present: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def inputs(self) -> tuple[np.ndarray | FeatureRows, ...]:
        """The four that a fusion model takes, features perhaps still on disk."""
        return self.visual, self.audio, self.visual_present, self.audio_present

    def features(self, rows: np.ndarray | slice = slice(None)) -> tuple[np.ndarray, ...]:
        """The four arrays that a fusion model takes, for some rows."""
        return tuple(part[rows] for part in self.inputs)

    def read(self, rows: np.ndarray, visual: np.ndarray, audio: np.ndarray) -> "Frames":
        """Some rows [M], in memory: their features are put into the first M rows of `visual` and `audio`."""
        return Frames(
            self.visual.take(rows, axis=0, out=visual[: len(rows)]),
            self.audio.take(rows, axis=0, out=audio[: len(rows)]),
            self.visual_present[rows],
            self.audio_present[rows],
            self.labels[rows],
        )


def in_buffers(rows: np.ndarray, buffer_rows: int, block_rows: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Part rows [N] into buffers of `buffer_rows`, the last one smaller, each of them ascending.

    Rows that do not fit into one buffer are dealt in blocks of `block_rows` neighbours: so a buffer holds rows from
    everywhere, and disks read long pieces.
    """
    if len(rows) > buffer_rows:
        blocks = np.array_split(rows, -(-len(rows) // block_rows))
        rows = np.concatenate([blocks[number] for number in rng.permutation(len(blocks))])
    return [np.sort(rows[start : start + buffer_rows]) for start in range(0, len(rows), buffer_rows)]


class ShuffledBatches:
    """Some rows of `frames` in random order, anew at every iteration: a fusion model's four arguments for a batch, and
    its classes [B] int64.

    Rows are shuffled within a buffer of BUFFER_BYTES, while a thread reads the next buffer. The order depends on `rng`
    alone, and rows that fit into one buffer are shuffled freely.
    """

    def __init__(self, frames: Frames, rows: np.ndarray, batch_size: int, rng: np.random.Generator, device: str):
        self._frames, self._rows, self._batch_size, self._rng, self._device = frames, rows, batch_size, rng, device
        widths = frames.visual.shape[1], frames.audio.shape[1]
        self._buffer_rows = max(1, BUFFER_BYTES // (2 * sum(widths) * batch_size)) * batch_size
        # Memory that a process is given anew costs more time than reading into it, so it is kept.
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
                    chosen = np.sort(order[start : start + self._batch_size])  # neighbours copy faster
                    target = torch.from_numpy(buffer.labels[chosen].astype(np.int64)).to(self._device)
                    yield tuple(torch.from_numpy(array).to(self._device) for array in buffer.features(chosen)), target


def train_epoch(
    model: FusionModel,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    batches: Iterable[tuple[tuple[torch.Tensor, ...], torch.Tensor]],
    weights: torch.Tensor,
    dtype: torch.dtype,
) -> np.ndarray:
    """One step for every batch, its products in `dtype`; returns their losses [number of batches]."""
    model.train()
    losses = []
    for features, target in batches:
        with torch.autocast(target.device.type, dtype, enabled=dtype != torch.float32):
            logits = model(*features)
        loss = F.cross_entropy(logits.float(), target, weight=weights)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.detach())  # its value would have to be waited for on a GPU
    return torch.stack(losses).double().cpu().numpy()


def train(
    model: FusionModel,
    train_frames: Frames,
    validation_frames: Frames,
    *,
    num_classes: int,
    epochs: int,
    batch_size: int,
    lr: float,
    min_lr: float,
    weight_decay: float,
    seed: int,
    device: str,
    dtype: str,
    on_epoch_end: Callable[[dict], None] | None = None,
) -> list[dict]:
    """Fit statistics and weights on the labelled training frames; leave `model` at its best validation epoch.

    on_epoch_end: is given each row when its epoch ends.
    dtype: `bfloat16` computes a training step's products in it; weights, statistics and validation stay float32.
    Returns one row per epoch: epoch, train_loss, val_macro_f1, lr. A class without a labelled training frame has weight
    0. Raises InputError where no training or no validation frame is labelled, and where the training diverges.
    """
    there = train_frames.visual_present | train_frames.audio_present
    labelled = np.flatnonzero((train_frames.labels != UNLABELLED) & there)
    if len(labelled) == 0:
        raise InputError("no training frame has both a label and a face or sound", "check the annotations and faces")
    scored = np.flatnonzero(validation_frames.labels != UNLABELLED)
    if len(scored) == 0:
        raise InputError("no validation frame is labelled", "the fusion's best epoch cannot be chosen")
    model.visual_normalisation.fit(train_frames.visual, labelled[train_frames.visual_present[labelled]])
    model.audio_normalisation.fit(train_frames.audio, labelled[train_frames.audio_present[labelled]])
    weights = class_weights(train_frames.labels[labelled], num_classes).to(device)
    model.to(device)
    # Fused it is faster, but differs in the last bits from what float32 training has always been.
    fused = True if dtype != "float32" else None
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=weight_decay, fused=fused)
    steps = -(-len(labelled) // batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * steps, eta_min=min_lr)
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)  # dropout
    history, best_score, best_weights = [], -1.0, {}
    batches = ShuffledBatches(train_frames, labelled, batch_size, rng, device)
    for epoch in range(1, epochs + 1):
        losses = train_epoch(model, optimizer, schedule, batches, weights, DTYPES[dtype])
        logits = predict_logits(model.eval(), *validation_frames.inputs, rows=scored)
        if not (np.isfinite(losses).all() and np.isfinite(logits).all()):
            raise InputError(
                f"the fusion diverged in epoch {epoch} of {epochs} (mean loss {np.mean(losses):.4g})",
                "lower fusion.training.lr",
            )
        score = macro_f1(validation_frames.labels[scored], logits.argmax(axis=1))
        history.append(
            {
                "epoch": epoch,
                "train_loss": float(np.mean(losses)),
                "val_macro_f1": score,
                "lr": schedule.get_last_lr()[0],
            }
        )
        if on_epoch_end:
            on_epoch_end(history[-1])
        logging.info("epoch %d of %d: loss %.4f, validation macro-F1 %.4f", epoch, epochs, losses[-1], score)
        if score > best_score:
            best_score = score
            best_weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    model.load_state_dict(best_weights, strict=True)
    model.cpu()
    return history
