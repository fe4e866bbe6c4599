"""Stage I: adapt the vision encoder on still images, with a head that is thrown away afterwards.

Shapes: B images, S stored side, C classes.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator, DataLoaderConfiguration, DistributedDataParallelKwargs
from torch import nn
from torch.utils.data import DataLoader, Dataset

from frame_expressions.artifacts.atomic import atomic_write
from frame_expressions.challenge.scores import macro_f1
from frame_expressions.encoders.class_token import check_class_token
from frame_expressions.encoders.preprocessing import UNREADABLE, decode, to_input, to_unit
from frame_expressions.faces.resizing import resize
from frame_expressions.networks.device import on_own_stream
from frame_expressions.networks.losses import class_weights, mixup, soft_cross_entropy, soft_targets
from frame_expressions.networks.published_weights import read_checkpoint
from frame_expressions.runtime.errors import InputError
from frame_expressions.runtime.job import progress
from frame_expressions.stage1.layer_decay import parameter_groups


class ImageDataset(Dataset):
    """Image files with their class: items are (uint8 [S, S, 3] RGB, class); the middle square is kept."""

    def __init__(self, paths: Sequence[Path], labels: np.ndarray, stored_px: int):
        self.paths = list(paths)
        self.labels = np.asarray(labels, dtype=np.int64)
        self.stored_px = stored_px

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        path = self.paths[index]
        try:
            rgb = decode(path)
        except UNREADABLE as error:
            raise InputError(
                f"{path} is no readable image ({error})", "restore it or drop its row from the image list"
            ) from error
        side = min(rgb.shape[:2])
        top, left = (rgb.shape[0] - side) // 2, (rgb.shape[1] - side) // 2
        square = np.ascontiguousarray(rgb[top : top + side, left : left + side])
        return torch.tensor(resize(square, self.stored_px)), int(self.labels[index])


class Classifier(nn.Module):
    """Encoder and head as one: [B, 3, P, P] -> the head's logits [B, C] and auxiliary loss [] on the CLS token.

    Raises InputError for an encoder without one.
    """

    def __init__(self, *, backbone: nn.Module, head: nn.Module):
        super().__init__()
        check_class_token(backbone)
        self.backbone = backbone
        self.head = head

    def forward(self, pixel_values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        cls = self.backbone(pixel_values=pixel_values).last_hidden_state[:, 0]  # [B, D]
        return self.head(cls)


@dataclass
class TrainingState:
    """Where training stands after an epoch; enough to go on as if never interrupted."""

    epoch: int = 0
    history: list[dict] = field(default_factory=list)
    best_macro_f1: float = -1.0
    best_epoch: int = 0
    best_weights: dict[str, torch.Tensor] = field(default_factory=dict)
    best_predicted: torch.Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.int64))
    """Most likely class [N] of every validation image at the best epoch."""


def train(
    model: Classifier,
    augmentation: nn.Module,
    train_set: ImageDataset,
    validation_set: ImageDataset,
    *,
    num_classes: int,
    image_px: int,
    epochs: int,
    warmup_epochs: float,
    batch_size: int,
    head_lr: float,
    backbone_lr: float,
    min_lr: float,
    layer_decay: float,
    weight_decay: float,
    label_smoothing: float,
    mixup_alpha: float,
    max_grad_norm: float,
    seed: int,
    precision: str,
    num_workers: int,
    device: str,
    checkpoint: Path,
    fingerprint: str,
    on_epoch_end: Callable[[dict], None] | None = None,
) -> TrainingState:
    """Train `model`, leave it at its best epoch by macro-F1 on `validation_set`, and return the history.

    on_epoch_end: is given each row of the history, those of a checkpoint first, in the first process.

    `checkpoint` is rewritten after every epoch and taken up again when its `fingerprint` is this run's; all
    randomness of an epoch follows from (seed, epoch, process), so an interrupted run ends like an uninterrupted one.

    Among several processes (`run_in_processes`) each takes an equal share of every batch, so `batch_size` stays that
    of the whole; order of the images and mixup's shares are common, all other draws differ. Every process returns
    the same state. Raises InputError for a batch that cannot be shared, for training that diverges, and for a
    checkpoint that cannot be read.
    """
    accelerator = Accelerator(
        cpu=device == "cpu",
        mixed_precision=precision,
        dataloader_config=DataLoaderConfiguration(split_batches=True),
        # The encoder's mask token, and an expert that no image chose, have no gradient.
        kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],
    )
    process = accelerator.process_index
    train_batch_size = min(batch_size, len(train_set))
    for size in (batch_size, train_batch_size):
        if size % accelerator.num_processes:
            raise InputError(
                f"Stage I cannot share batches of {size} images equally among {accelerator.num_processes} processes",
                "lower stage1.num_processes",
            )
    groups = parameter_groups(
        model.backbone,
        model.head,
        backbone_lr=backbone_lr,
        head_lr=head_lr,
        layer_decay=layer_decay,
        weight_decay=weight_decay,
    )
    optimizer = torch.optim.AdamW(groups, fused=accelerator.device.type == "cuda")
    shuffler = torch.Generator()
    loader = DataLoader(
        train_set,
        batch_size=train_batch_size,
        shuffle=True,
        drop_last=True,
        num_workers=num_workers,
        generator=shuffler,
    )
    validation_loader = DataLoader(validation_set, batch_size=batch_size, num_workers=num_workers)
    schedule = _warmup_then_cosine(optimizer, len(loader), epochs, warmup_epochs, min_lr)
    weights = class_weights(train_set.labels, num_classes)
    absent = [index for index in range(num_classes) if weights[index] == 0]
    if absent:
        logging.warning("the training images have no example of class %s; Stage I cannot learn it", absent)
    wrapped, optimizer, loader, validation_loader = accelerator.prepare(model, optimizer, loader, validation_loader)
    weights = weights.to(accelerator.device)
    parts = {"model": model, "optimizer": optimizer, "schedule": schedule}
    if accelerator.scaler is not None:
        parts["scaler"] = accelerator.scaler
    state = _resume(checkpoint, fingerprint, parts)
    if not accelerator.is_main_process:
        on_epoch_end = None
    for row in state.history if on_epoch_end else ():
        on_epoch_end(row)

    for epoch in range(state.epoch + 1, epochs + 1):
        torch.manual_seed(_seed_of(seed, epoch, 0, process))  # dropout and drop-path
        shuffler.manual_seed(_seed_of(seed, epoch, 1))
        generator = torch.Generator().manual_seed(_seed_of(seed, epoch, 2, process))
        rng = np.random.default_rng([seed, epoch])
        wrapped.train()
        losses = []
        batches = (
            mixup(
                augmentation(to_unit(images), generator),
                soft_targets(labels, num_classes, label_smoothing),
                mixup_alpha,
                rng,
            )
            for images, labels in _batches(loader)
        )
        batches = on_own_stream(batches, accelerator.device)
        for inputs, targets in progress(batches, len(loader), f"epoch {epoch} of {epochs}", "batches"):
            logits, auxiliary = wrapped(inputs)
            loss = soft_cross_entropy(logits, targets, weights) + auxiliary
            accelerator.backward(loss)
            accelerator.clip_grad_norm_(wrapped.parameters(), max_grad_norm)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            losses.append(loss.detach())
        loss = float(accelerator.reduce(torch.stack(losses).mean(), reduction="mean"))
        predicted = _predict(accelerator, wrapped, validation_loader, image_px)
        # A finite loss does not tell what the last step made of the weights.
        if not np.isfinite(loss) or (predicted < 0).any():
            raise InputError(
                f"Stage I diverged in epoch {epoch} of {epochs} (loss {loss:.4g})",
                "lower stage1.training.head_lr and backbone_lr",
            )
        score = macro_f1(validation_set.labels, predicted.numpy())
        state.history.append(
            {"epoch": epoch, "train_loss": loss, "val_macro_f1": score, "head_lr": _head_lr(optimizer)}
        )
        if on_epoch_end:
            on_epoch_end(state.history[-1])
        logging.info("epoch %d of %d: loss %.4f, validation macro-F1 %.4f", epoch, epochs, loss, score)
        state.epoch = epoch
        if score > state.best_macro_f1:
            state.best_macro_f1, state.best_epoch = score, epoch
            state.best_predicted = predicted
            state.best_weights = {name: tensor.cpu().clone() for name, tensor in model.state_dict().items()}
        if accelerator.is_main_process:
            _save(checkpoint, fingerprint, state, parts)
    model.load_state_dict(state.best_weights, strict=True)
    return state


def _batches(loader: DataLoader) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """The loader's batches; a decoding process's InputError gets back its sentence, which torch buries in a trace."""
    try:
        yield from loader
    except InputError as error:
        raise InputError(str(error).rsplit(f"{InputError.__name__}: ", 1)[-1].strip()) from error


@torch.no_grad()
def _predict(accelerator: Accelerator, model: nn.Module, loader: DataLoader, image_px: int) -> torch.Tensor:
    """Most likely class [N] int64 of every image, in order, -1 where its logits are not finite.

    The processes share the work and all get the result.
    """
    model.eval()
    predicted = []
    for images, _ in _batches(loader):
        logits, _ = model(to_input(images, image_px))
        classes = torch.where(logits.isfinite().all(dim=-1), logits.argmax(dim=-1), -1)
        predicted.append(accelerator.gather_for_metrics(classes).cpu())
    return torch.cat(predicted)


def _warmup_then_cosine(
    optimizer: torch.optim.Optimizer, steps_per_epoch: int, epochs: int, warmup_epochs: float, min_lr: float
) -> torch.optim.lr_scheduler.LRScheduler:
    total, warmup = steps_per_epoch * epochs, int(steps_per_epoch * warmup_epochs)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(total - warmup, 1), eta_min=min_lr)
    if warmup == 0:
        return cosine
    linear = torch.optim.lr_scheduler.LinearLR(optimizer, start_factor=1 / warmup, total_iters=warmup)
    return torch.optim.lr_scheduler.SequentialLR(optimizer, [linear, cosine], milestones=[warmup])


def _seed_of(*parts: int) -> int:
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0] >> 1)


def _head_lr(optimizer: torch.optim.Optimizer) -> float:
    return max(group["lr"] for group in optimizer.param_groups)


def _save(checkpoint: Path, fingerprint: str, state: TrainingState, parts: dict) -> None:
    content = {"fingerprint": fingerprint, "progress": vars(state)}
    content |= {name: part.state_dict() for name, part in parts.items()}
    with atomic_write(checkpoint) as temporary:
        torch.save(content, temporary)


def _resume(checkpoint: Path, fingerprint: str, parts: dict) -> TrainingState:
    if not checkpoint.exists():
        return TrainingState()
    content = read_checkpoint(checkpoint, "delete it, and Stage I trains afresh")
    if not isinstance(content, dict) or content.get("fingerprint") != fingerprint:
        logging.info("%s is from other settings or images: training starts afresh", checkpoint)
        return TrainingState()
    for name, part in parts.items():
        part.load_state_dict(content[name])
    state = TrainingState(**content["progress"])
    logging.info("going on after epoch %d from %s", state.epoch, checkpoint)
    return state
