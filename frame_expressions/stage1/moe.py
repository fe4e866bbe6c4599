"""The mixture-of-experts head that Stage I trains with and then discards.

Shapes: B images, D features, E experts, K chosen experts, C classes. Source: the method's Stage I, which is dense.
"""

from dataclasses import dataclass

import torch
import torch.distributed
import torch.nn.functional as F
from torch import nn


@dataclass(frozen=True)
class MoESettings:
    """The block `stage1.moe`.

    depth: residual blocks of an expert. router_features: hidden width of the router. expansion: hidden width of a
    block's feed-forward layer, as a multiple of D. max_drop_path: probability of the last block; the others rise to it
    from 0. top_k: experts that each image is sent to; None for all. balance_weight: factor of the balance loss.
    """

    num_experts: int
    depth: int
    router_features: int
    expansion: float
    dropout: float
    max_drop_path: float
    top_k: int | None
    balance_weight: float


class SwiGLU(nn.Module):
    """Gated feed-forward: [B, D] -> [B, D] through `expansion` * D hidden units, on which dropout acts."""

    def __init__(self, num_features: int, *, expansion: float, dropout: float):
        super().__init__()
        hidden = int(num_features * expansion)
        self.gate_and_value = nn.Linear(num_features, 2 * hidden)
        self.output = nn.Linear(hidden, num_features)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        gate, value = self.gate_and_value(x).chunk(2, dim=-1)  # [B, hidden] each
        return self.output(self.dropout(F.silu(gate) * value))


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

    def __init__(self, num_features: int, settings: MoESettings):
        super().__init__()
        rates = torch.linspace(0.0, settings.max_drop_path, settings.depth).tolist()
        self.norms = nn.ModuleList(nn.LayerNorm(num_features) for _ in rates)
        self.feed_forwards = nn.ModuleList(
            SwiGLU(num_features, expansion=settings.expansion, dropout=settings.dropout) for _ in rates
        )
        self.drop_paths = nn.ModuleList(DropPath(rate) for rate in rates)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for norm, feed_forward, drop_path in zip(self.norms, self.feed_forwards, self.drop_paths, strict=True):
            x = x + drop_path(feed_forward(norm(x)))
        return x


def make_router(num_features: int, settings: MoESettings) -> nn.Sequential:
    """Maps features [B, D] to one score per expert [B, E], before the softmax."""
    return nn.Sequential(
        nn.Linear(num_features, settings.router_features),
        nn.LayerNorm(settings.router_features),
        nn.GELU(),
        nn.Linear(settings.router_features, settings.num_experts),
    )


class MoEHead(nn.Module):
    """Mixture of experts on the CLS feature: features [B, D] -> logits [B, C] and the auxiliary loss [].

    The router weights the experts by a softmax. All experts run if `top_k` is None; otherwise each image is sent to its
    `top_k` best experts only, whose weights are scaled to sum to 1. LayerNorm, dropout and one linear layer classify
    the weighted sum. The auxiliary loss is `balance_weight` times the balance loss while training, else 0.
    """

    def __init__(self, num_features: int, num_classes: int, settings: MoESettings):
        super().__init__()
        self.top_k = settings.top_k
        self.balance_weight = settings.balance_weight
        self.norm = nn.LayerNorm(num_features)
        self.router = make_router(num_features, settings)
        self.experts = nn.ModuleList(Expert(num_features, settings) for _ in range(settings.num_experts))
        self.classifier = nn.Sequential(
            nn.LayerNorm(num_features), nn.Dropout(settings.dropout), nn.Linear(num_features, num_classes)
        )

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x = self.norm(features)
        probabilities = self.router(x).softmax(dim=-1)  # [B, E]
        mixed = self._dense(x, probabilities) if self.top_k is None else self._routed(x, probabilities)
        auxiliary = x.new_zeros(())
        if self.training and self.balance_weight > 0.0:
            auxiliary = self.balance_weight * balance_loss(probabilities, self.top_k or 1)
        return self.classifier(mixed), auxiliary

    def _dense(self, x: torch.Tensor, probabilities: torch.Tensor) -> torch.Tensor:
        outputs = torch.stack([expert(x) for expert in self.experts], dim=1)  # [B, E, D]
        return (probabilities[:, :, None] * outputs).sum(dim=1)

    def _routed(self, x: torch.Tensor, probabilities: torch.Tensor) -> torch.Tensor:
        weights, chosen = probabilities.topk(self.top_k, dim=-1)  # [B, K] each
        weights = weights / weights.sum(dim=-1, keepdim=True)
        mixed = torch.zeros_like(x)
        for number, expert in enumerate(self.experts):
            image, rank = (chosen == number).nonzero(as_tuple=True)
            if len(image):  # an expert without images does not run and gets no gradient
                mixed = mixed.index_add(0, image, weights[image, rank, None] * expert(x[image]))
        return mixed


def balance_loss(probabilities: torch.Tensor, top_k: int) -> torch.Tensor:
    """E * sum over the experts of f * P: 1 where the images spread evenly, E where all go to one expert.

    probabilities [B, E]: the router's softmax, whose mean over the images is P; f is the share of the images'
    `top_k` choices that fall on an expert, without gradient. With several processes, f is that of the whole batch, so
    the mean of the processes' losses is the loss of the whole batch. Source: arXiv 2101.03961, eq. 4 to 6.
    """
    num_experts = probabilities.shape[1]
    chosen = probabilities.topk(top_k, dim=-1).indices
    counts = torch.bincount(chosen.flatten(), minlength=num_experts).float()  # [E]
    if torch.distributed.is_initialized():
        torch.distributed.all_reduce(counts)
    return num_experts * (counts / counts.sum() * probabilities.mean(dim=0)).sum()
