"""The mixture-of-experts head that Stage I trains with and then discards.

Shapes: B images, D features, E experts, C classes. Source: the method's Stage I.
"""

import torch
import torch.nn.functional as F
from torch import nn


class SwiGLU(nn.Module):
    """Gated feed-forward: [B, D] -> [B, D] through `expansion` * D hidden units and dropout."""

    def __init__(self, num_features: int, *, expansion: float, dropout: float):
        super().__init__()
        hidden = int(num_features * expansion)
        self.gate_and_value = nn.Linear(num_features, 2 * hidden)
        self.output = nn.Linear(hidden, num_features)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        gate, value = self.gate_and_value(x).chunk(2, dim=-1)  # [B, hidden] each
        return self.dropout(self.output(self.dropout(F.silu(gate) * value)))


class DropPath(nn.Module):
    """Drop a residual branch for whole samples while training, scaling the rest to keep the mean."""

    def __init__(self, probability: float):
        super().__init__()
        self.probability = probability

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training or self.probability == 0.0:
            return x
        keep = 1.0 - self.probability
        kept = torch.rand(x.shape[0], 1, device=x.device) < keep  # [B, 1]
        return x * kept / keep


class Expert(nn.Module):
    """Residual blocks x + DropPath(SwiGLU(LayerNorm(x))): [B, D] -> [B, D]."""

    def __init__(self, num_features: int, *, depth: int, expansion: float, dropout: float, max_drop_path: float):
        super().__init__()
        rates = torch.linspace(0.0, max_drop_path, depth).tolist()
        self.norms = nn.ModuleList(nn.LayerNorm(num_features) for _ in rates)
        self.feed_forwards = nn.ModuleList(SwiGLU(num_features, expansion=expansion, dropout=dropout) for _ in rates)
        self.drop_paths = nn.ModuleList(DropPath(rate) for rate in rates)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for norm, feed_forward, drop_path in zip(self.norms, self.feed_forwards, self.drop_paths, strict=True):
            x = x + drop_path(feed_forward(norm(x)))
        return x


class MoEHead(nn.Module):
    """Dense mixture of experts on the CLS feature: features [B, D] -> logits [B, C].

    The router weighs every expert by a softmax; all experts run. LayerNorm, dropout and one linear layer
    classify the weighted sum.
    """

    def __init__(
        self,
        num_features: int,
        num_classes: int,
        *,
        num_experts: int = 4,
        depth: int = 3,
        router_features: int = 256,
        expansion: float = 2.0,
        dropout: float = 0.6,
        max_drop_path: float = 0.1,
    ):
        super().__init__()
        self.norm = nn.LayerNorm(num_features)
        self.router = nn.Sequential(
            nn.Linear(num_features, router_features),
            nn.LayerNorm(router_features),
            nn.GELU(),
            nn.Linear(router_features, num_experts),
        )
        self.experts = nn.ModuleList(
            Expert(
                num_features,
                depth=depth,
                expansion=expansion,
                dropout=dropout,
                max_drop_path=max_drop_path,
            )
            for _ in range(num_experts)
        )
        self.classifier = nn.Sequential(
            nn.LayerNorm(num_features), nn.Dropout(dropout), nn.Linear(num_features, num_classes)
        )

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        x = self.norm(features)
        weights = self.router(x).softmax(dim=-1)  # [B, E]
        outputs = torch.stack([expert(x) for expert in self.experts], dim=1)  # [B, E, D]
        return self.classifier((weights[:, :, None] * outputs).sum(dim=1))
