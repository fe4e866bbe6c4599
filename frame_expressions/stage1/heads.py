"""The heads with which Stage I can train the backbone; no later step uses them.

Shapes: B images, D features, C classes. A head takes the class tokens [B, D] and returns logits [B, C] and an
auxiliary loss [], which is added to the loss of the logits; it is 0 for a head without one.
"""

import torch
from torch import nn

from frame_expressions.stage1.moe import MoEHead, MoESettings


class LinearHead(nn.Module):
    """One linear layer: the baseline for the mixture of experts."""

    def __init__(self, num_features: int, num_classes: int):
        super().__init__()
        self.classifier = nn.Linear(num_features, num_classes)

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.classifier(features), features.new_zeros(())


def make_head(name: str, num_features: int, num_classes: int, *, moe: MoESettings) -> nn.Module:
    """The head `moe`, with the settings `moe`, or `linear`, which has none."""
    return MoEHead(num_features, num_classes, moe) if name == "moe" else LinearHead(num_features, num_classes)
