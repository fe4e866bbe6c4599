"""Stage II's training on extracted features.

Shapes: N frames, B frames of a batch, C classes.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from frame_expressions.artifacts.vocabulary import UNLABELLED
from frame_expressions.challenge.scores import macro_f1
from frame_expressions.fusion.inference import predict_logits
from frame_expressions.fusion.missing import COMPLETE, MissingSettings, usable_frames
from frame_expressions.fusion.model import FusionModel, HeadSettings
from frame_expressions.fusion.training_data import Frames, ShuffledBatches
from frame_expressions.networks.device import DTYPES
from frame_expressions.networks.losses import class_weights
from frame_expressions.runtime.errors import InputError


@dataclass(frozen=True)
class TrainingSettings:
    """The block `fusion.training` of the configuration.

    The learning rate falls from lr to min_lr along a cosine. schedule: per_batch, down to min_lr after the last step;
    or per_epoch, so that epoch e of E runs at min_lr + (lr - min_lr) / 2 * (1 + cos(pi * (e - 1) / E)). seed: of the
    initial weights, the order of the frames and dropout. dtype: type of the products in a training step, float32,
    bfloat16 or float16 (with loss scaling); weights, statistics and validation are always float32.
    """

    epochs: int
    batch_size: int
    lr: float
    min_lr: float
    schedule: str
    weight_decay: float
    seed: int
    dtype: str


@dataclass(frozen=True)
class FusionSettings:
    """The block `fusion` of the configuration. head: a name of `HEADS`."""

    head: str
    head_settings: HeadSettings
    training: TrainingSettings
    missing: MissingSettings

    @classmethod
    def from_config(cls, block: dict) -> "FusionSettings":
        """The settings of a validated block."""
        return cls(
            block["head"],
            HeadSettings(**block["head_settings"]),
            TrainingSettings(**block["training"]),
            MissingSettings(**block["missing"]),
        )


def train(
    model: FusionModel,
    train_frames: Frames,
    validation_frames: Frames,
    settings: TrainingSettings,
    *,
    device: str,
    on_epoch_end: Callable[[dict], None] | None = None,
) -> list[dict]:
    """Fit normalisation statistics and weights to the labelled training frames; leave `model` at its best epoch.

    A model with `trained_on` complete is fitted to complete frames, and its epoch is chosen on such frames.
    on_epoch_end: called with each epoch's row. Returns one row per epoch: epoch, train_loss, val_macro_f1, lr. A class
    without a labelled training frame has weight 0. Raises InputError if no training or no validation frame is labelled,
    and if the training diverges.
    """
    trained_on = model.settings["trained_on"]
    rows, scored = _training_rows(train_frames, trained_on), _validation_rows(validation_frames, trained_on)
    _fit_normalisation(model, train_frames, rows)
    weights = class_weights(train_frames.labels[rows], model.settings["num_classes"]).to(device)
    model.to(device)
    optimizer, schedule = _optimizer(model, settings, steps_per_epoch=-(-len(rows) // settings.batch_size))
    per_epoch, dtype = settings.schedule == "per_epoch", DTYPES[settings.dtype]
    scaler = torch.amp.GradScaler(device, enabled=dtype == torch.float16)
    batches = ShuffledBatches(train_frames, rows, settings.batch_size, np.random.default_rng(settings.seed), device)
    torch.manual_seed(settings.seed)  # dropout

    history, best_score, best_weights = [], -1.0, {}
    for epoch in range(1, settings.epochs + 1):
        losses = train_epoch(model, optimizer, None if per_epoch else schedule, scaler, batches, weights, dtype)
        logits = predict_logits(model.eval(), *validation_frames.inputs, rows=scored)
        if not (np.isfinite(losses).all() and np.isfinite(logits).all()):
            raise InputError(
                f"The fusion diverged in epoch {epoch} of {settings.epochs} (mean loss {np.mean(losses):.4g})",
                "lower fusion.training.lr, or that of the head in ablation.heads if the ablation trains it",
            )
        loss = float(np.mean(losses))
        score = macro_f1(validation_frames.labels[scored], logits.argmax(axis=1))
        history.append({"epoch": epoch, "train_loss": loss, "val_macro_f1": score, "lr": schedule.get_last_lr()[0]})
        if per_epoch:
            schedule.step()
        if on_epoch_end:
            on_epoch_end(history[-1])
        logging.info("epoch %d of %d: loss %.4f, validation macro-F1 %.4f", epoch, settings.epochs, losses[-1], score)
        if score > best_score:
            best_score = score
            best_weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    model.load_state_dict(best_weights, strict=True)
    model.cpu()
    return history


def train_epoch(
    model: FusionModel,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler | None,
    scaler: torch.amp.GradScaler,
    batches: Iterable[tuple[tuple[torch.Tensor, ...], torch.Tensor]],
    weights: torch.Tensor,
    dtype: torch.dtype,
) -> np.ndarray:
    """One step for each batch; returns the losses [number of batches].

    schedule: stepped after each batch; None: by the caller.
    scaler: of the loss, enabled for float16 only.
    weights: [C], of the classes in the loss.
    dtype: of the products.
    """
    model.train()
    losses = []
    for features, target in batches:
        with torch.autocast(target.device.type, dtype, enabled=dtype != torch.float32):
            logits, auxiliary = model.logits_and_auxiliary(*features)
        loss = F.cross_entropy(logits.float(), target, weight=weights) + auxiliary
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        if schedule is not None:
            schedule.step()
        losses.append(loss.detach())  # reading its value would wait for the GPU
    return torch.stack(losses).double().cpu().numpy()


def _training_rows(frames: Frames, trained_on: str) -> np.ndarray:
    usable = usable_frames(frames.visual_present, frames.audio_present, trained_on)
    rows = np.flatnonzero((frames.labels != UNLABELLED) & usable)
    if len(rows) == 0:
        raise InputError(
            f"No training frame has both a label and a face {'and' if trained_on == COMPLETE else 'or'} audio",
            "check the annotations and the detected faces",
        )
    return rows


def _validation_rows(frames: Frames, trained_on: str) -> np.ndarray:
    is_scored = frames.labels != UNLABELLED
    if trained_on == COMPLETE:
        is_scored &= usable_frames(frames.visual_present, frames.audio_present, trained_on)
    rows = np.flatnonzero(is_scored)
    if len(rows) == 0:
        lacking = "has a label, a face and audio" if trained_on == COMPLETE else "is labelled"
        raise InputError(
            f"No validation frame {lacking}, so the best epoch of the fusion cannot be chosen",
            "give annotations for validation tracks",
        )
    return rows


def _fit_normalisation(model: FusionModel, frames: Frames, rows: np.ndarray) -> None:
    model.visual_normalisation.fit(frames.visual, rows[frames.visual_present[rows]])
    model.audio_normalisation.fit(frames.audio, rows[frames.audio_present[rows]])


def _optimizer(
    model: FusionModel, settings: TrainingSettings, steps_per_epoch: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    # The fused one is faster, but its float32 results differ from the plain one's in the last bits.
    fused = True if settings.dtype != "float32" else None
    groups = model.head.parameter_groups(settings.lr)  # only the head has parameters
    optimizer = torch.optim.AdamW(groups, weight_decay=settings.weight_decay, fused=fused)
    num_steps = settings.epochs * (1 if settings.schedule == "per_epoch" else steps_per_epoch)
    return optimizer, torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, num_steps, eta_min=settings.min_lr)
