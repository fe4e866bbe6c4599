"""The fusion model as it is trained, saved and applied: normalisation and head together.

Shapes: N or B frames, D features of one modality, C classes.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from frame_expressions.artifacts.atomic import atomic_write
from frame_expressions.artifacts.feature_shards import FeatureRows
from frame_expressions.fusion.dropout import Dropout
from frame_expressions.fusion.heads import HEADS
from frame_expressions.fusion.missing import EITHER
from frame_expressions.runtime.errors import InputError, unreadable

METADATA = "fusion_model"
"""Name of the metadata entry that holds a saved model's settings and provenance, as JSON."""


@dataclass(frozen=True)
class HeadSettings:
    """The block `fusion.head_settings` of the configuration.

    num_fused: width of the fused feature. visual_dropout, audio_dropout: dropout on each modality's features.
    dropout: dropout inside the head.
    """

    num_fused: int
    visual_dropout: float
    audio_dropout: float
    dropout: float


class Normalisation(nn.Module):
    """L2-normalises each row [B, D], then z-scores it by training statistics; missing rows become 0."""

    def __init__(self, num_features: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(num_features))
        self.register_buffer("std", torch.ones(num_features))

    @torch.no_grad()
    def fit(self, features: np.ndarray | FeatureRows, rows: np.ndarray, chunk: int = 1024) -> None:
        """Compute mean and standard deviation of some rows of training features [N, D].

        A feature that is constant but for rounding keeps standard deviation 1. Without rows nothing changes. A chunk
        fits into the processor's caches.
        """
        if len(rows) == 0:
            return
        total, squares = torch.zeros(2, features.shape[1], dtype=torch.float64)
        for start in range(0, len(rows), chunk):
            unit = _unit(torch.from_numpy(features[rows[start : start + chunk]])).double()
            total += unit.sum(dim=0)
            squares += unit.square_().sum(dim=0)
        mean = total / len(rows)
        std = (squares / len(rows) - mean.square()).clamp(min=0).sqrt()
        self.mean.copy_(mean)
        # Rounding leaves up to 2e-8 for a constant feature; dividing any other value by it would give about 1e8.
        self.std.copy_(torch.where(std > 1e-7, std, 1.0))

    def forward(self, features: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        """Float32, or autocast's dtype where autocast is on: cast once here instead of in every layer that follows."""
        scores = _unit(features).sub_(self.mean).div_(self.std).mul_(present[:, None].float())
        kind = features.device.type
        return scores.to(torch.get_autocast_dtype(kind)) if torch.is_autocast_enabled(kind) else scores


def _unit(features: torch.Tensor) -> torch.Tensor:
    """A float32 copy [B, D] with rows of length 1; zeros stay zeros."""
    rows = features.to(torch.float32, copy=True)
    return rows.div_(torch.linalg.vector_norm(rows, dim=-1, keepdim=True).clamp_min_(1e-12))


class FusionModel(nn.Module):
    """Normalisation and input dropout of both modalities, then a fusion head.

    `settings`: the constructor's arguments, from which a saved model is rebuilt. The four before `trained_on` are the
    fields of HeadSettings. trained_on: the frames that training takes, see `missing.MissingSettings`.
    """

    def __init__(
        self,
        *,
        head: str,
        num_visual: int,
        num_audio: int,
        num_classes: int,
        num_fused: int,
        visual_dropout: float,
        audio_dropout: float,
        dropout: float,
        trained_on: str = EITHER,
    ):
        super().__init__()
        self.settings = {
            "head": head,
            "num_visual": num_visual,
            "num_audio": num_audio,
            "num_classes": num_classes,
            "num_fused": num_fused,
            "visual_dropout": visual_dropout,
            "audio_dropout": audio_dropout,
            "dropout": dropout,
            "trained_on": trained_on,
        }
        self.visual_normalisation = Normalisation(num_visual)
        self.audio_normalisation = Normalisation(num_audio)
        self.visual_dropout = Dropout(visual_dropout)
        self.audio_dropout = Dropout(audio_dropout)
        self.head = HEADS[head](num_visual, num_audio, num_classes, num_fused=num_fused, dropout=dropout)

    def forward(
        self,
        visual: torch.Tensor,
        audio: torch.Tensor,
        visual_present: torch.Tensor,
        audio_present: torch.Tensor,
    ) -> torch.Tensor:
        """Raw features [B, D] and presence [B] bool -> logits [B, C]."""
        return self.logits_and_auxiliary(visual, audio, visual_present, audio_present)[0]

    def logits_and_auxiliary(
        self,
        visual: torch.Tensor,
        audio: torch.Tensor,
        visual_present: torch.Tensor,
        audio_present: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The logits [B, C], and the head's auxiliary loss [], which training adds to theirs."""
        return self.head(
            self.visual_dropout(self.visual_normalisation(visual, visual_present)),
            self.audio_dropout(self.audio_normalisation(audio, audio_present)),
            visual_present,
            audio_present,
        )

    def save(self, path: Path, provenance: dict) -> None:
        """Write weights and statistics as safetensors, with settings and provenance in its metadata."""
        # One entry only: safetensors writes several entries in random order, so the bytes would vary.
        metadata = {METADATA: json.dumps({"settings": self.settings, "provenance": provenance}, sort_keys=True)}
        tensors = {name: tensor.contiguous() for name, tensor in self.state_dict().items()}
        with atomic_write(path) as temporary:
            save_file(tensors, temporary, metadata=metadata)

    @classmethod
    def load(cls, path: Path) -> "FusionModel":
        """Rebuild a saved model in eval mode.

        Raises InputError if the file is cut off, is not a fusion model, or its weights do not match its settings.
        """
        try:
            with safe_open(path, framework="pt") as stored:
                metadata = stored.metadata() or {}
                tensors = {name: stored.get_tensor(name) for name in stored.keys()}
        except SafetensorError as error:
            raise unreadable(path, "safetensors", error) from error
        if METADATA not in metadata:
            raise InputError(f"{path} is not a fusion model of this workflow", "run train_fusion to make one")
        try:
            model = cls(**json.loads(metadata[METADATA])["settings"])
            model.load_state_dict(tensors, strict=True)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise InputError(
                f"{path} holds settings and weights that do not belong together ({' '.join(str(error).split())[:200]})",
                "delete it and run the workflow again to rebuild it",
            ) from error
        return model.eval()
