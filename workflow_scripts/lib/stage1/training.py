"""Stage I: adapt the vision encoder on still images, with a head that is thrown away afterwards.

Shapes: B images, S stored side, C classes.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from torch import nn
from torch.utils.data import DataLoader, Dataset

from workflow_scripts.lib.artifacts import replacing
from workflow_scripts.lib.challenge.scores import macro_f1
from workflow_scripts.lib.encoders.preprocessing import decode, to_input, to_unit
from workflow_scripts.lib.errors import InputError
from workflow_scripts.lib.faces.resizing import resize
from workflow_scripts.lib.job import progress
from workflow_scripts.lib.stage1.layer_decay import parameter_groups
from workflow_scripts.lib.targets import class_weights, mixup, soft_targets


class ImageDataset(Dataset):
    """Image files with their class: items are (uint8 [S, S, 3] RGB, class); the middle square is kept."""

    def __init__(self, paths: Sequence[Path], expression: np.ndarray, stored_px: int):
        self.paths = list(paths)
        self.expression = np.asarray(expression, dtype=np.int64)
        self.stored_px = stored_px

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        path = self.paths[index]
        try:
            rgb = decode(path)
        except OSError as error:
            raise InputError(
                f"{path} is no readable image ({error}); restore it or drop its row from the image list."
            ) from error
        side = min(rgb.shape[:2])
        top, left = (rgb.shape[0] - side) // 2, (rgb.shape[1] - side) // 2
        square = np.ascontiguousarray(rgb[top : top + side, left : left + side])
        return torch.tensor(resize(square, self.stored_px)), int(self.expression[index])


class Classifier(nn.Module):
    """Encoder and head as one module: [B, 3, P, P] -> logits [B, C] from the CLS token."""

    def __init__(self, *, backbone: nn.Module, head: nn.Module):
        super().__init__()
        self.backbone = backbone
        self.head = head

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
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
) -> TrainingState:
    """Train `model`, leave it at its best epoch by macro-F1 on `validation_set`, and return the history.

    `checkpoint` is rewritten after every epoch and taken up again when its `fingerprint` is this run's; all
    randomness of an epoch follows from (seed, epoch), so an interrupted run ends like an uninterrupted one.
    """
    accelerator = Accelerator(cpu=device == "cpu", mixed_precision=precision)
    groups = parameter_groups(
        model.backbone,
        model.head,
        backbone_lr=backbone_lr,
        head_lr=head_lr,
        layer_decay=layer_decay,
        weight_decay=weight_decay,
    )
    optimizer = torch.optim.AdamW(groups)
    shuffler = torch.Generator()
    loader = DataLoader(
        train_set,
        batch_size=batch_size,
        shuffle=True,
        drop_last=len(train_set) > batch_size,
        num_workers=num_workers,
        generator=shuffler,
    )
    schedule = _warmup_then_cosine(optimizer, len(loader), epochs, warmup_epochs, min_lr)
    weights = class_weights(train_set.expression, num_classes)
    absent = [index for index in range(num_classes) if weights[index] == 0]
    if absent:
        logging.warning("the training images have no example of class %s; Stage I cannot learn it", absent)
    model, optimizer = accelerator.prepare(model, optimizer)
    weights = weights.to(accelerator.device)
    state = _resume(checkpoint, fingerprint, model, optimizer, schedule)

    for epoch in range(state.epoch + 1, epochs + 1):
        torch.manual_seed(_seed_of(seed, epoch))  # dropout and drop-path
        shuffler.manual_seed(_seed_of(seed, epoch, 1))
        generator = torch.Generator().manual_seed(_seed_of(seed, epoch, 2))
        rng = np.random.default_rng([seed, epoch])
        model.train()
        losses = []
        for images, expression in progress(loader, len(loader), f"epoch {epoch} of {epochs}", "batches"):
            inputs = augmentation(to_unit(images.to(accelerator.device)), generator)
            targets = soft_targets(expression.to(accelerator.device), num_classes, label_smoothing)
            inputs, targets = mixup(inputs, targets, mixup_alpha, rng)
            loss = F.cross_entropy(model(inputs), targets, weight=weights)
            accelerator.backward(loss)
            accelerator.clip_grad_norm_(model.parameters(), max_grad_norm)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            losses.append(loss.detach())
        loss = float(torch.stack(losses).mean())
        if not np.isfinite(loss):
            raise InputError(f"Stage I's loss became {loss} in epoch {epoch}; lower stage1's learning rates.")
        predicted = predict(
            model,
            validation_set,
            image_px=image_px,
            batch_size=batch_size,
            num_workers=num_workers,
            device=device,
        )
        score = macro_f1(validation_set.expression, predicted)
        state.history.append(
            {"epoch": epoch, "train_loss": loss, "val_macro_f1": score, "head_lr": _head_lr(optimizer)}
        )
        logging.info("epoch %d of %d: loss %.4f, validation macro-F1 %.4f", epoch, epochs, loss, score)
        state.epoch = epoch
        if score > state.best_macro_f1:
            state.best_macro_f1, state.best_epoch = score, epoch
            state.best_weights = {
                name: tensor.detach().cpu().clone()
                for name, tensor in accelerator.unwrap_model(model).state_dict().items()
            }
        _save(checkpoint, fingerprint, state, model, optimizer, schedule)
    accelerator.unwrap_model(model).load_state_dict(state.best_weights, strict=True)
    return state


@torch.no_grad()
def predict(
    model: nn.Module,
    images: ImageDataset,
    *,
    image_px: int,
    batch_size: int,
    num_workers: int,
    device: str,
) -> np.ndarray:
    """Most likely class [N] int64 of every image, in order."""
    model.eval()
    predicted = []
    for batch, _ in DataLoader(images, batch_size=batch_size, num_workers=num_workers):
        predicted.append(model(to_input(batch.to(device), image_px)).argmax(dim=-1).cpu())
    return torch.cat(predicted).numpy()


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


def _save(checkpoint: Path, fingerprint: str, state: TrainingState, model, optimizer, schedule) -> None:
    content = {
        "fingerprint": fingerprint,
        "progress": vars(state),
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "schedule": schedule.state_dict(),
    }
    with replacing(checkpoint) as temporary:
        torch.save(content, temporary)


def _resume(checkpoint: Path, fingerprint: str, model, optimizer, schedule) -> TrainingState:
    if not checkpoint.exists():
        return TrainingState()
    content = torch.load(checkpoint, weights_only=True, map_location="cpu")
    if content["fingerprint"] != fingerprint:
        logging.info("%s is from other settings or images: training starts afresh", checkpoint)
        return TrainingState()
    model.load_state_dict(content["model"], strict=True)
    optimizer.load_state_dict(content["optimizer"])
    schedule.load_state_dict(content["schedule"])
    state = TrainingState(**content["progress"])
    logging.info("going on after epoch %d from %s", state.epoch, checkpoint)
    return state
