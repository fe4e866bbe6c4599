"""Fusion heads: map the visual and audio features of a frame, and flags that tell which are present, to logits.

Shapes: B frames, V visual features, A audio features, H fused features, C classes, E experts, N attention heads. A
missing modality is passed as zeros with its `present` flag False. All heads have the same constructor arguments. Their
forward pass takes visual [B, V], audio [B, A], visual_present [B] bool and audio_present [B] bool. It returns logits
[B, C] and an auxiliary loss [], which is added to the loss of the logits; it is 0 for a head without one.
Source: the method's Stage II (the gate) and the heads that it was compared with, layer by layer as published. They
differ from the published ones only on frames without a face or without audio, which the authors leave out.
"""

import math

import torch
from torch import nn

from frame_expressions.fusion.dropout import Dropout
from frame_expressions.stage1.moe import Expert, MoESettings, make_router


class FusionHead(nn.Module):
    """What all heads have in common."""

    def parameter_groups(self, lr: float) -> list[dict]:
        """All parameters, for an optimizer; the first group has the learning rate `lr`."""
        return [{"params": list(self.parameters()), "lr": lr}]


def _classifier(num_fused: int, num_classes: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(nn.LayerNorm(num_fused), Dropout(dropout), nn.Linear(num_fused, num_classes))


def _without_auxiliary(logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return logits, logits.new_zeros(())


def _select_present(gate: torch.Tensor, visual_present: torch.Tensor, audio_present: torch.Tensor) -> torch.Tensor:
    """The gate [B, H]; 1 where only the visual modality is present, 0 where only the audio is."""
    gate = torch.where((visual_present & ~audio_present)[:, None], 1.0, gate)
    return torch.where((audio_present & ~visual_present)[:, None], 0.0, gate)


class GatedFusion(FusionHead):
    """z = g * Wv v + (1 - g) * Wa a with one gate per fused feature, then LayerNorm, dropout and one linear layer.

    If only one modality is present, the gate selects it completely.
    """

    def __init__(self, num_visual: int, num_audio: int, num_classes: int, *, num_fused: int, dropout: float):
        super().__init__()
        self.vis_proj = nn.Linear(num_visual, num_fused)
        self.aud_proj = nn.Linear(num_audio, num_fused)
        self.gate = nn.Sequential(
            nn.Linear(num_visual + num_audio, num_fused),
            nn.ReLU(),
            Dropout(dropout),
            nn.Linear(num_fused, num_fused),
        )
        self.cls = _classifier(num_fused, num_classes, dropout)

    def forward(self, visual, audio, visual_present, audio_present) -> tuple[torch.Tensor, torch.Tensor]:
        gate = torch.sigmoid(self.gate(torch.cat([visual, audio], dim=-1)))  # [B, H]
        gate = _select_present(gate, visual_present, audio_present)
        return _without_auxiliary(self.cls(gate * self.vis_proj(visual) + (1.0 - gate) * self.aud_proj(audio)))


class LinearFusion(FusionHead):
    """One linear layer on both features; ignores `num_fused` and `dropout`."""

    def __init__(self, num_visual: int, num_audio: int, num_classes: int, *, num_fused: int, dropout: float):
        super().__init__()
        self.fc = nn.Linear(num_visual + num_audio, num_classes)

    def forward(self, visual, audio, visual_present, audio_present) -> tuple[torch.Tensor, torch.Tensor]:
        return _without_auxiliary(self.fc(torch.cat([visual, audio], dim=-1)))


class MLPFusion(FusionHead):
    """One hidden layer on both features."""

    def __init__(self, num_visual: int, num_audio: int, num_classes: int, *, num_fused: int, dropout: float):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(num_visual + num_audio, num_fused),
            nn.ReLU(),
            Dropout(dropout),
            nn.Linear(num_fused, num_classes),
        )

    def forward(self, visual, audio, visual_present, audio_present) -> tuple[torch.Tensor, torch.Tensor]:
        return _without_auxiliary(self.net(torch.cat([visual, audio], dim=-1)))


class BilinearFusion(FusionHead):
    """The element-wise product of both projections, a bilinear form of low rank, then one hidden layer.

    The projection of a missing modality counts as 1. Source: also arXiv 1610.04325.
    """

    def __init__(self, num_visual: int, num_audio: int, num_classes: int, *, num_fused: int, dropout: float):
        super().__init__()
        self.vis_proj = nn.Linear(num_visual, num_fused)
        self.aud_proj = nn.Linear(num_audio, num_fused)
        self.post = nn.Sequential(
            nn.LayerNorm(num_fused),
            nn.ReLU(),
            Dropout(dropout),
            nn.Linear(num_fused, num_fused),
            nn.ReLU(),
            Dropout(dropout),
            nn.Linear(num_fused, num_classes),
        )

    def forward(self, visual, audio, visual_present, audio_present) -> tuple[torch.Tensor, torch.Tensor]:
        visual_factor = torch.where(visual_present[:, None], self.vis_proj(visual), 1.0)
        audio_factor = torch.where(audio_present[:, None], self.aud_proj(audio), 1.0)
        return _without_auxiliary(self.post(visual_factor * audio_factor))


class WeightedFusion(FusionHead):
    """z = p Wv v + q Wa a with two weights per frame, a softmax over the modalities that are present."""

    def __init__(self, num_visual: int, num_audio: int, num_classes: int, *, num_fused: int, dropout: float):
        super().__init__()
        self.vis_proj = nn.Linear(num_visual, num_fused)
        self.aud_proj = nn.Linear(num_audio, num_fused)
        self.weight_net = nn.Sequential(
            nn.Linear(num_visual + num_audio, num_fused), nn.ReLU(), Dropout(dropout), nn.Linear(num_fused, 2)
        )
        self.cls = _classifier(num_fused, num_classes, dropout)

    def forward(self, visual, audio, visual_present, audio_present) -> tuple[torch.Tensor, torch.Tensor]:
        scores = self.weight_net(torch.cat([visual, audio], dim=-1))  # [B, 2]
        present = torch.stack([visual_present, audio_present], dim=-1)
        # If neither modality is present, neither is masked: a softmax over only -inf is NaN.
        masked = ~present & present.any(dim=-1, keepdim=True)
        visual_weight, audio_weight = scores.masked_fill(masked, -torch.inf).softmax(dim=-1).split(1, dim=-1)
        fused = visual_weight * self.vis_proj(visual) + audio_weight * self.aud_proj(audio)
        return _without_auxiliary(self.cls(fused))


class StreamUpdate(nn.Module):
    """One stream [B, H] updated by another: gated attention, then a feed-forward layer, each residual with LayerNorm.

    There is no attention over time. Each attention head has one score per frame, a sigmoid instead of a softmax, which
    mixes the other stream's value with the own query.
    """

    def __init__(self, num_fused: int, num_heads: int, dropout: float):
        super().__init__()
        self.num_heads = num_heads
        self.query = nn.Linear(num_fused, num_fused)
        self.key = nn.Linear(num_fused, num_fused)
        self.value = nn.Linear(num_fused, num_fused)
        self.output = nn.Linear(num_fused, num_fused)
        self.attention_norm = nn.LayerNorm(num_fused)
        self.feed_forward = nn.Sequential(
            nn.Linear(num_fused, 2 * num_fused), nn.GELU(), Dropout(dropout), nn.Linear(2 * num_fused, num_fused)
        )
        self.norm = nn.LayerNorm(num_fused)
        self.dropout = Dropout(dropout)

    def forward(self, stream: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        query, key, value = (
            projected.unflatten(-1, (self.num_heads, -1))  # [B, N, H / N]
            for projected in (self.query(stream), self.key(other), self.value(other))
        )
        score = torch.sigmoid((query * key).sum(dim=-1, keepdim=True) / math.sqrt(query.shape[-1]))  # [B, N, 1]
        mixed = (score * value + (1.0 - score) * query).flatten(-2)  # [B, H]
        stream = self.attention_norm(stream + self.dropout(self.output(mixed)))
        return self.norm(stream + self.dropout(self.feed_forward(stream)))


class CrossAttentionFusion(FusionHead):
    """The visual stream is updated by the audio, then the audio by the result; a gate weights both.

    If only one modality is present, its stream stays as it was, and the gate selects it completely. `num_fused` must be
    a multiple of 8.
    """

    NUM_HEADS = 8

    def __init__(self, num_visual: int, num_audio: int, num_classes: int, *, num_fused: int, dropout: float):
        super().__init__()
        self.vis_proj = nn.Sequential(nn.Linear(num_visual, num_fused), nn.LayerNorm(num_fused))
        self.aud_proj = nn.Sequential(nn.Linear(num_audio, num_fused), nn.LayerNorm(num_fused))
        self.visual_by_audio = StreamUpdate(num_fused, self.NUM_HEADS, dropout)
        self.audio_by_visual = StreamUpdate(num_fused, self.NUM_HEADS, dropout)
        self.gate = nn.Sequential(
            nn.Linear(2 * num_fused, num_fused), nn.GELU(), Dropout(dropout), nn.Linear(num_fused, num_fused)
        )
        self.cls = nn.Sequential(
            nn.LayerNorm(num_fused),
            nn.Linear(num_fused, num_fused),
            nn.GELU(),
            Dropout(dropout),
            *_classifier(num_fused, num_classes, dropout),
        )

    def forward(self, visual, audio, visual_present, audio_present) -> tuple[torch.Tensor, torch.Tensor]:
        both = (visual_present & audio_present)[:, None]
        visual, audio = self.vis_proj(visual), self.aud_proj(audio)  # [B, H] each
        visual = torch.where(both, self.visual_by_audio(visual, audio), visual)
        audio = torch.where(both, self.audio_by_visual(audio, visual), audio)
        gate = torch.sigmoid(self.gate(torch.cat([visual, audio], dim=-1)))  # [B, H]
        gate = _select_present(gate, visual_present, audio_present)
        return _without_auxiliary(self.cls(gate * visual + (1.0 - gate) * audio))


class MoEFusion(FusionHead):
    """Four experts on both features, all of which run; a softmax router weights them. Ignores `num_fused`.

    The auxiliary loss of training is BALANCE_WEIGHT times the sum over the experts of the squared difference between
    the expert's mean weight in the batch and 1 / E. The router's learning rate is ROUTER_LR times that of the rest.
    """

    NUM_EXPERTS = 4
    ROUTER_FEATURES = 512
    BALANCE_WEIGHT = 0.01
    ROUTER_LR = 0.5

    def __init__(self, num_visual: int, num_audio: int, num_classes: int, *, num_fused: int, dropout: float):
        super().__init__()
        num_joined = num_visual + num_audio
        settings = MoESettings(
            num_experts=self.NUM_EXPERTS,
            depth=3,
            router_features=self.ROUTER_FEATURES,
            expansion=1.5,
            dropout=dropout,
            max_drop_path=0.1,
            top_k=None,
            balance_weight=self.BALANCE_WEIGHT,
        )
        self.in_norm = nn.LayerNorm(num_joined)
        self.router = make_router(num_joined, settings)
        self.experts = nn.ModuleList(Expert(num_joined, settings) for _ in range(self.NUM_EXPERTS))
        self.cls = _classifier(num_joined, num_classes, dropout)

    def forward(self, visual, audio, visual_present, audio_present) -> tuple[torch.Tensor, torch.Tensor]:
        joined = self.in_norm(torch.cat([visual, audio], dim=-1))  # [B, V + A]
        weights = self.router(joined).softmax(dim=-1)  # [B, E]
        outputs = torch.stack([expert(joined) for expert in self.experts], dim=1)  # [B, E, V + A]
        logits = self.cls((weights[:, :, None] * outputs).sum(dim=1))
        if not self.training:
            return _without_auxiliary(logits)
        unbalance = (weights.float().mean(dim=0) - 1.0 / self.NUM_EXPERTS).square().sum()
        return logits, self.BALANCE_WEIGHT * unbalance

    def parameter_groups(self, lr: float) -> list[dict]:
        """All parameters, for an optimizer: the router apart from the rest."""
        rest = [parameter for name, parameter in self.named_parameters() if not name.startswith("router.")]
        return [
            {"params": rest, "lr": lr},
            {"params": list(self.router.parameters()), "lr": self.ROUTER_LR * lr},
        ]


class VisualOnly(FusionHead):
    """One linear layer on the face alone; ignores `num_fused` and `dropout`."""

    def __init__(self, num_visual: int, num_audio: int, num_classes: int, *, num_fused: int, dropout: float):
        super().__init__()
        self.fc = nn.Linear(num_visual, num_classes)

    def forward(self, visual, audio, visual_present, audio_present) -> tuple[torch.Tensor, torch.Tensor]:
        return _without_auxiliary(self.fc(visual))


class AudioOnly(FusionHead):
    """One linear layer on the audio alone; ignores `num_fused` and `dropout`."""

    def __init__(self, num_visual: int, num_audio: int, num_classes: int, *, num_fused: int, dropout: float):
        super().__init__()
        self.fc = nn.Linear(num_audio, num_classes)

    def forward(self, visual, audio, visual_present, audio_present) -> tuple[torch.Tensor, torch.Tensor]:
        return _without_auxiliary(self.fc(audio))


HEADS = {
    "gate": GatedFusion,
    "linear": LinearFusion,
    "mlp": MLPFusion,
    "bilinear": BilinearFusion,
    "weighting": WeightedFusion,
    "cross_attention": CrossAttentionFusion,
    "moe": MoEFusion,
    "visual": VisualOnly,
    "audio": AudioOnly,
}
