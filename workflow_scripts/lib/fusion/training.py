"""Stage II's training on features that are already extracted.

Shapes: N frames, C classes.
"""

import logging
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from workflow_scripts.lib.challenge.expressions import UNLABELLED
from workflow_scripts.lib.challenge.scores import macro_f1
from workflow_scripts.lib.errors import InputError
from workflow_scripts.lib.fusion.model import FusionModel
from workflow_scripts.lib.fusion.prediction import predict_logits
from workflow_scripts.lib.targets import class_weights


@dataclass(frozen=True)
class Frames:
    """Features and classes of many frames: visual [N, V], audio [N, A] float16, presence [N], expression [N]."""

    visual: np.ndarray
    audio: np.ndarray
    visual_present: np.ndarray
    audio_present: np.ndarray
    expression: np.ndarray

    def features(self, rows: np.ndarray | slice = slice(None)) -> tuple[np.ndarray, ...]:
        """The four arrays that a fusion model takes, for some rows."""
        return self.visual[rows], self.audio[rows], self.visual_present[rows], self.audio_present[rows]


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
) -> list[dict]:
    """Fit statistics and weights on the labelled training frames; leave `model` at its best validation epoch.

    Returns one row per epoch: epoch, train_loss, val_macro_f1, lr.
    """
    there = train_frames.visual_present | train_frames.audio_present
    labelled = np.flatnonzero((train_frames.expression != UNLABELLED) & there)
    if len(labelled) == 0:
        raise InputError("no training frame has both a label and a face or sound; check the annotations and faces.")
    if not (validation_frames.expression != UNLABELLED).any():
        raise InputError("no validation frame is labelled; the fusion's best epoch cannot be chosen.")
    model.visual_normalisation.fit(train_frames.visual[labelled], train_frames.visual_present[labelled])
    model.audio_normalisation.fit(train_frames.audio[labelled], train_frames.audio_present[labelled])
    weights = class_weights(train_frames.expression[labelled], num_classes).to(device)
    model.to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=weight_decay)
    steps = -(-len(labelled) // batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * steps, eta_min=min_lr)
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)  # dropout
    history, best_score, best_weights = [], -1.0, {}
    for epoch in range(1, epochs + 1):
        model.train()
        losses = []
        order = rng.permutation(labelled)
        for start in range(0, len(order), batch_size):
            rows = np.sort(order[start : start + batch_size])  # ascending rows read faster from disk
            batch = (torch.from_numpy(array).to(device) for array in train_frames.features(rows))
            target = torch.from_numpy(train_frames.expression[rows].astype(np.int64)).to(device)
            loss = F.cross_entropy(model(*batch), target, weight=weights)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        logits = predict_logits(model.eval(), *validation_frames.features())
        score = macro_f1(validation_frames.expression, logits.argmax(axis=1))
        history.append(
            {
                "epoch": epoch,
                "train_loss": float(np.mean(losses)),
                "val_macro_f1": score,
                "lr": schedule.get_last_lr()[0],
            }
        )
        logging.info("epoch %d of %d: loss %.4f, validation macro-F1 %.4f", epoch, epochs, losses[-1], score)
        if score > best_score:
            best_score = score
            best_weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    model.load_state_dict(best_weights, strict=True)
    model.cpu()
    return history
