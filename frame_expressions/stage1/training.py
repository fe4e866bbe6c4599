"""Stage I: adapt the vision encoder on still images, with a head that no later step uses.

Shapes: B images, C classes.
"""

import logging
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from accelerate import Accelerator, DataLoaderConfiguration, DistributedDataParallelKwargs
from torch import nn
from torch.utils.data import DataLoader

from frame_expressions.artifacts.vocabulary import NUM_CLASSES
from frame_expressions.challenge.scores import macro_f1
from frame_expressions.encoders.preprocessing import to_input, to_unit
from frame_expressions.networks.device import on_own_stream
from frame_expressions.networks.losses import class_weights, mixup, soft_cross_entropy, soft_targets
from frame_expressions.networks.schedule import warmup_then_cosine
from frame_expressions.runtime.errors import InputError
from frame_expressions.runtime.job import progress
from frame_expressions.stage1.checkpoint import Checkpoint, TrainingState
from frame_expressions.stage1.dataset import ImageDataset, RandomCropDataset, batches, image_loader
from frame_expressions.stage1.layer_decay import parameter_groups
from frame_expressions.stage1.model import Classifier


@dataclass(frozen=True)
class TrainingSettings:
    """The block `stage1.training` of the configuration, which documents each setting."""

    epochs: int
    schedule: str
    warmup_epochs: float
    batch_size: int
    head_lr: float
    backbone_lr: float
    min_lr: float
    layer_decay: float
    weight_decay: float
    label_smoothing: float
    mixup_alpha: float
    max_grad_norm: float
    seed: int
    precision: str


@dataclass(frozen=True)
class Execution:
    """Where the training runs, and what it leaves on the way; none of it changes the result on one machine.

    device: cpu or cuda. num_workers: decoding processes of each training process. on_epoch_end: called in the first
    process with each row of the history, first with those of a checkpoint.
    """

    device: str
    num_workers: int
    checkpoint: Checkpoint
    on_epoch_end: Callable[[dict], None] | None = None


def train(
    model: Classifier,
    augmentation: nn.Module,
    train_set: RandomCropDataset,
    validation_set: ImageDataset,
    image_px: int,
    settings: TrainingSettings,
    execution: Execution,
) -> TrainingState:
    """Train `model`, leave it at its best epoch by macro-F1 on `validation_set`, and return the history.

    The checkpoint is replaced after every epoch, and resumed if its fingerprint is this run's. All randomness follows
    from (seed, epoch, process), that of the crops from (seed, epoch, image), so a resumed run ends like any other.

    With several processes (`run_in_processes`), each takes an equal share of every batch. The order of the images,
    their crops and mixup's shares are common, all other draws differ. Every process returns the same state. Raises
    InputError for a batch that cannot be shared, training that diverges, and a checkpoint that cannot be read.
    """
    # --- Device, batches, optimizer, schedule
    accelerator = _accelerator(execution.device, settings.precision)
    shuffler = torch.Generator()
    loader, validation_loader = _loaders(accelerator, train_set, validation_set, settings, execution, shuffler)
    optimizer = _optimizer(model, settings, fused=accelerator.device.type == "cuda")
    schedule = _schedule(optimizer, settings, len(loader))
    weights = _class_weights(train_set).to(accelerator.device)
    wrapped, optimizer, loader, validation_loader = accelerator.prepare(model, optimizer, loader, validation_loader)

    # --- Resume
    parts = {"model": model, "optimizer": optimizer, "schedule": schedule}
    parts |= {"scaler": accelerator.scaler} if accelerator.scaler else {}
    state = execution.checkpoint.resume(parts)
    report = execution.on_epoch_end if accelerator.is_main_process and execution.on_epoch_end else _ignore
    for row in state.history:
        report(row)
    for epoch in range(state.epoch + 1, settings.epochs + 1):
        # --- Train
        train_set.start_epoch(settings.seed, epoch)
        inputs = _inputs_of_epoch(loader, augmentation, settings, epoch, accelerator.process_index, shuffler)
        shown = progress(
            on_own_stream(inputs, accelerator.device), len(loader), f"epoch {epoch} of {settings.epochs}", "batches"
        )
        per_batch = schedule if settings.schedule == "per_batch" else None
        loss = _train_epoch(accelerator, wrapped, optimizer, per_batch, shown, weights, settings.max_grad_norm)

        # --- Validate
        predicted = _predict(accelerator, wrapped, validation_loader, image_px)
        _check_finite(loss, predicted, epoch, settings.epochs)
        score = macro_f1(validation_set.labels, predicted.numpy())
        row = {"epoch": epoch, "train_loss": loss, "val_macro_f1": score, "head_lr": _head_lr(optimizer)}
        state.add(row, predicted, model)
        if settings.schedule == "per_epoch":
            schedule.step()

        # --- Report and save
        report(row)
        logging.info("epoch %d of %d: loss %.4f, validation macro-F1 %.4f", epoch, settings.epochs, loss, score)
        if accelerator.is_main_process:
            execution.checkpoint.save(state, parts)
    model.load_state_dict(state.best_weights, strict=True)
    return state


def _accelerator(device: str, precision: str) -> Accelerator:
    """Raises InputError for fp16 on a CPU, where accelerate would train in float32 without a word."""
    if device == "cpu" and precision == "fp16":
        raise InputError("stage1.training.precision is fp16, which needs a GPU", "set it to no or bf16")
    return Accelerator(
        cpu=device == "cpu",
        mixed_precision=precision,
        dataloader_config=DataLoaderConfiguration(split_batches=True),
        # The encoder's mask token, and an expert that no image was sent to, have no gradient.
        kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],
    )


def _loaders(
    accelerator: Accelerator,
    train_set: ImageDataset,
    validation_set: ImageDataset,
    settings: TrainingSettings,
    execution: Execution,
    shuffler: torch.Generator,
) -> tuple[DataLoader, DataLoader]:
    """Loaders of the training and the validation images; `shuffler` draws the training order."""
    train_size = min(settings.batch_size, len(train_set))
    for size in (settings.batch_size, train_size):
        if size % accelerator.num_processes:
            raise InputError(
                f"Stage I cannot share batches of {size} images equally among {accelerator.num_processes} processes",
                "lower stage1.num_processes",
            )
    return (
        image_loader(train_set, train_size, execution.num_workers, shuffler),
        image_loader(validation_set, settings.batch_size, execution.num_workers),
    )


def _optimizer(model: Classifier, settings: TrainingSettings, fused: bool) -> torch.optim.Optimizer:
    groups = parameter_groups(
        model.backbone,
        model.head,
        backbone_lr=settings.backbone_lr,
        head_lr=settings.head_lr,
        layer_decay=settings.layer_decay,
        weight_decay=settings.weight_decay,
    )
    return torch.optim.AdamW(groups, fused=fused)


def _schedule(
    optimizer: torch.optim.Optimizer, settings: TrainingSettings, num_batches: int
) -> torch.optim.lr_scheduler.LRScheduler:
    """The learning rates, to be stepped as `settings.schedule` says. num_batches: of an epoch."""
    steps_per_epoch = num_batches if settings.schedule == "per_batch" else 1
    return warmup_then_cosine(
        optimizer,
        num_steps=steps_per_epoch * settings.epochs,
        num_warmup_steps=math.ceil(steps_per_epoch * settings.warmup_epochs),
        min_lr=settings.min_lr,
    )


def _class_weights(train_set: ImageDataset) -> torch.Tensor:
    """Weights [C] of the classes, 0 for one without an image, which is warned of."""
    weights = class_weights(train_set.labels, NUM_CLASSES)
    absent = [index for index in range(NUM_CLASSES) if weights[index] == 0]
    if absent:
        logging.warning("the training images have no example of class %s; Stage I cannot learn it", absent)
    return weights


def _inputs_of_epoch(
    loader: DataLoader,
    augmentation: nn.Module,
    settings: TrainingSettings,
    epoch: int,
    process: int,
    shuffler: torch.Generator,
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Augmented images [B, 3, P, P] and soft targets [B, C]; seeds all randomness of the epoch."""
    torch.manual_seed(_seed_of(settings.seed, epoch, 0, process))  # dropout and drop-path
    shuffler.manual_seed(_seed_of(settings.seed, epoch, 1))
    generator = torch.Generator().manual_seed(_seed_of(settings.seed, epoch, 2, process))
    rng = np.random.default_rng([settings.seed, epoch])
    return (
        mixup(
            augmentation(to_unit(images), generator),
            soft_targets(labels, NUM_CLASSES, settings.label_smoothing),
            settings.mixup_alpha,
            rng,
        )
        for images, labels in batches(loader)
    )


def _train_epoch(
    accelerator: Accelerator,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler | None,
    inputs: Iterable[tuple[torch.Tensor, torch.Tensor]],
    weights: torch.Tensor,
    max_grad_norm: float,
) -> float:
    """One step for each batch of images [B, 3, P, P] and soft targets [B, C]; returns the mean loss of all processes.

    schedule: stepped after every batch, if there is one. weights: of the classes, [C].
    """
    model.train()
    losses = []
    for images, targets in inputs:
        logits, auxiliary = model(images)
        loss = soft_cross_entropy(logits, targets, weights) + auxiliary
        accelerator.backward(loss)
        accelerator.clip_grad_norm_(model.parameters(), max_grad_norm)
        optimizer.step()
        if schedule is not None:
            schedule.step()
        optimizer.zero_grad()
        losses.append(loss.detach())  # reading its value would wait for the GPU
    return float(accelerator.reduce(torch.stack(losses).mean(), reduction="mean"))


@torch.no_grad()
def _predict(accelerator: Accelerator, model: nn.Module, loader: DataLoader, image_px: int) -> torch.Tensor:
    """Most likely class [N] int64 of every image, in order; -1 if its logits are not finite.

    The processes share the work, and all get the result.
    """
    model.eval()
    predicted = []
    for images, _ in batches(loader):
        logits, _ = model(to_input(images, image_px))
        classes = torch.where(logits.isfinite().all(dim=-1), logits.argmax(dim=-1), -1)
        predicted.append(accelerator.gather_for_metrics(classes).cpu())
    return torch.cat(predicted)


def _check_finite(loss: float, predicted: torch.Tensor, epoch: int, epochs: int) -> None:
    """Raise InputError for training that diverged; a finite loss does not show what the last step did."""
    if not np.isfinite(loss) or (predicted < 0).any():
        raise InputError(
            f"Stage I diverged in epoch {epoch} of {epochs} (loss {loss:.4g})",
            "lower stage1.training.head_lr and stage1.training.backbone_lr",
        )


def _seed_of(*parts: int) -> int:
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0] >> 1)


def _head_lr(optimizer: torch.optim.Optimizer) -> float:
    return max(group["lr"] for group in optimizer.param_groups)


def _ignore(row: dict) -> None:
    """For a process that reports nothing."""
