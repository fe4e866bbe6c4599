"""The checkpoint from which an interrupted Stage I resumes."""

import hashlib
import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import nn

from frame_expressions.artifacts.atomic import atomic_write
from frame_expressions.networks.published_weights import read_checkpoint
from frame_expressions.stage1.dataset import ImageDataset


@dataclass
class TrainingState:
    """The training after an epoch: with the weights and the optimizer's state, all that resuming it needs.

    best_predicted: most likely class [N] of every validation image at the best epoch.
    """

    epoch: int = 0
    history: list[dict] = field(default_factory=list)
    best_macro_f1: float = -1.0
    best_epoch: int = 0
    best_weights: dict[str, torch.Tensor] = field(default_factory=dict)
    best_predicted: torch.Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.int64))

    def add(self, row: dict, predicted: torch.Tensor, model: nn.Module) -> None:
        """Add an epoch: its row of the history and the classes [N] that it predicts. Copy `model` if it is the best."""
        self.history.append(row)
        self.epoch = row["epoch"]
        if row["val_macro_f1"] > self.best_macro_f1:
            self.best_macro_f1, self.best_epoch = row["val_macro_f1"], row["epoch"]
            self.best_predicted = predicted
            self.best_weights = {name: tensor.cpu().clone() for name, tensor in model.state_dict().items()}


@dataclass(frozen=True)
class Checkpoint:
    """The file of a training's checkpoint, and the fingerprint of the settings and images that it belongs to."""

    path: Path
    fingerprint: str

    def save(self, state: TrainingState, parts: dict) -> None:
        """Replace the checkpoint. parts: whatever has a state dict (model, optimizer, ...), by name."""
        content = {"fingerprint": self.fingerprint, "progress": vars(state)}
        content |= {name: part.state_dict() for name, part in parts.items()}
        with atomic_write(self.path) as temporary:
            torch.save(content, temporary)

    def resume(self, parts: dict) -> TrainingState:
        """Load the checkpoint into `parts`; a new state if there is none, or one with another fingerprint.

        Raises InputError for a file that cannot be read.
        """
        if not self.path.exists():
            return TrainingState()
        content = read_checkpoint(self.path, "delete it to train Stage I from the beginning")
        if not isinstance(content, dict) or content.get("fingerprint") != self.fingerprint:
            logging.info("%s has other settings or images: training starts from the beginning", self.path)
            return TrainingState()
        for name, part in parts.items():
            part.load_state_dict(content[name])
        state = TrainingState(**content["progress"])
        logging.info("resuming after epoch %d from %s", state.epoch, self.path)
        return state


def fingerprint_of(provenance: dict, image_sets: Iterable[ImageDataset], num_threads: int) -> str:
    """Hex digest of everything that must be equal for a training to resume from a checkpoint."""
    digest = hashlib.sha256(json.dumps([provenance, num_threads], sort_keys=True).encode())
    for images in image_sets:
        digest.update("\n".join(path.name for path in images.paths).encode())
        digest.update(images.labels.tobytes())
    return digest.hexdigest()
