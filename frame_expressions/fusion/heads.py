"""Fusion heads: map the visual and audio features of a frame, and flags that tell which are present, to logits.

Shapes: B frames, V visual features, A audio features, H fused features, C classes, E experts. A missing modality is
passed as zeros with its `present` flag False. All heads have the same constructor arguments. Their forward pass takes
visual [B, V], audio [B, A], visual_present [B] bool and audio_present [B] bool, and returns logits [B, C].
Source: the method's Stage II (the gate) and the heads that it was compared with.
"""

import torch
import torch.nn.functional as F
from torch import nn

from frame_expressions.fusion.dropout import Dropout


def _classifier(num_fused: int, num_classes: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(nn.LayerNorm(num_fused), Dropout(dropout), nn.Linear(num_fused, num_classes))


def _joined(
    visual: torch.Tensor, audio: torch.Tensor, visual_present: torch.Tensor, audio_present: torch.Tensor
) -> torch.Tensor:
    """Both features and both flags, concatenated: [B, V + A + 2]."""
    flags = torch.stack([visual_present, audio_present], dim=-1).to(visual.dtype)
    return torch.cat([visual, audio, flags], dim=-1)


class GatedFusion(nn.Module):
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

    def forward(self, visual, audio, visual_present, audio_present) -> torch.Tensor:
        gate = torch.sigmoid(self.gate(torch.cat([visual, audio], dim=-1)))  # [B, H]
        gate = torch.where((visual_present & ~audio_present)[:, None], 1.0, gate)
        gate = torch.where((audio_present & ~visual_present)[:, None], 0.0, gate)
        return self.cls(gate * self.vis_proj(visual) + (1.0 - gate) * self.aud_proj(audio))


class LinearFusion(nn.Module):
    """One linear layer on both features and flags; ignores `num_fused` and `dropout`."""

    def __init__(self, num_visual: int, num_audio: int, num_classes: int, *, num_fused: int, dropout: float):
        super().__init__()
        self.cls = nn.Linear(num_visual + num_audio + 2, num_classes)

    def forward(self, visual, audio, visual_present, audio_present) -> torch.Tensor:
        return self.cls(_joined(visual, audio, visual_present, audio_present))


class MLPFusion(nn.Module):
    """One hidden layer on both features and flags."""

    def __init__(self, num_visual: int, num_audio: int, num_classes: int, *, num_fused: int, dropout: float):
        super().__init__()
        self.hidden = nn.Linear(num_visual + num_audio + 2, num_fused)
        self.cls = _classifier(num_fused, num_classes, dropout)

    def forward(self, visual, audio, visual_present, audio_present) -> torch.Tensor:
        return self.cls(F.relu(self.hidden(_joined(visual, audio, visual_present, audio_present))))


class BilinearFusion(nn.Module):
    """The element-wise product of both projections: a bilinear form of low rank.

    If only one modality is present, its projection is used alone. Source: arXiv 1610.04325.
    """

    def __init__(self, num_visual: int, num_audio: int, num_classes: int, *, num_fused: int, dropout: float):
        super().__init__()
        self.vis_proj = nn.Linear(num_visual, num_fused)
        self.aud_proj = nn.Linear(num_audio, num_fused)
        self.cls = _classifier(num_fused, num_classes, dropout)

    def forward(self, visual, audio, visual_present, audio_present) -> torch.Tensor:
        visual_factor = torch.where(visual_present[:, None], torch.tanh(self.vis_proj(visual)), 1.0)
        audio_factor = torch.where(audio_present[:, None], torch.tanh(self.aud_proj(audio)), 1.0)
        return self.cls(visual_factor * audio_factor)


class WeightedFusion(nn.Module):
    """z = w Wv v + (1 - w) Wa a with one weight per frame, a softmax over the modalities that are present."""

    def __init__(self, num_visual: int, num_audio: int, num_classes: int, *, num_fused: int, dropout: float):
        super().__init__()
        self.vis_proj = nn.Linear(num_visual, num_fused)
        self.aud_proj = nn.Linear(num_audio, num_fused)
        self.weights = nn.Linear(num_visual + num_audio, 2)
        self.cls = _classifier(num_fused, num_classes, dropout)

    def forward(self, visual, audio, visual_present, audio_present) -> torch.Tensor:
        scores = self.weights(torch.cat([visual, audio], dim=-1))  # [B, 2]
        present = torch.stack([visual_present, audio_present], dim=-1)
        # If neither modality is present, neither is masked: a softmax over only -inf is NaN.
        masked = ~present & present.any(dim=-1, keepdim=True)
        visual_weight, audio_weight = scores.masked_fill(masked, -torch.inf).softmax(dim=-1).split(1, dim=-1)
        return self.cls(visual_weight * self.vis_proj(visual) + audio_weight * self.aud_proj(audio))


class CrossAttentionFusion(nn.Module):
    """Cross-attention in both directions (8 heads); the classifier takes both results, concatenated.

    A missing modality neither attends nor is attended to. `num_fused` must be a multiple of 8.
    """

    NUM_HEADS = 8

    def __init__(self, num_visual: int, num_audio: int, num_classes: int, *, num_fused: int, dropout: float):
        super().__init__()
        self.vis_proj = nn.Linear(num_visual, num_fused)
        self.aud_proj = nn.Linear(num_audio, num_fused)
        self.visual_asks = nn.MultiheadAttention(num_fused, self.NUM_HEADS, dropout=dropout, batch_first=True)
        self.audio_asks = nn.MultiheadAttention(num_fused, self.NUM_HEADS, dropout=dropout, batch_first=True)
        self.cls = _classifier(2 * num_fused, num_classes, dropout)

    def forward(self, visual, audio, visual_present, audio_present) -> torch.Tensor:
        has_visual, has_audio = visual_present[:, None], audio_present[:, None]
        visual = torch.where(has_visual, self.vis_proj(visual), 0.0)[:, None]  # [B, 1, H], one token
        audio = torch.where(has_audio, self.aud_proj(audio), 0.0)[:, None]
        from_audio = self.visual_asks(visual, audio, audio, need_weights=False)[0][:, 0]
        from_visual = self.audio_asks(audio, visual, visual, need_weights=False)[0][:, 0]
        both = has_visual & has_audio
        visual = visual[:, 0] + torch.where(both, from_audio, 0.0)
        audio = audio[:, 0] + torch.where(both, from_visual, 0.0)
        return self.cls(torch.cat([visual, audio], dim=-1))


class MoEFusion(nn.Module):
    """Four small networks on both features and flags; a softmax router weights their logits."""

    NUM_EXPERTS = 4

    def __init__(self, num_visual: int, num_audio: int, num_classes: int, *, num_fused: int, dropout: float):
        super().__init__()
        num_joined = num_visual + num_audio + 2
        self.router = nn.Linear(num_joined, self.NUM_EXPERTS)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(num_joined, num_fused), nn.ReLU(), *_classifier(num_fused, num_classes, dropout))
            for _ in range(self.NUM_EXPERTS)
        )

    def forward(self, visual, audio, visual_present, audio_present) -> torch.Tensor:
        joined = _joined(visual, audio, visual_present, audio_present)
        weights = self.router(joined).softmax(dim=-1)  # [B, E]
        logits = torch.stack([expert(joined) for expert in self.experts], dim=1)  # [B, E, C]
        return (weights[:, :, None] * logits).sum(dim=1)


class VisualOnly(nn.Module):
    """The face alone, through the gate's projection and classifier."""

    def __init__(self, num_visual: int, num_audio: int, num_classes: int, *, num_fused: int, dropout: float):
        super().__init__()
        self.vis_proj = nn.Linear(num_visual, num_fused)
        self.cls = _classifier(num_fused, num_classes, dropout)

    def forward(self, visual, audio, visual_present, audio_present) -> torch.Tensor:
        return self.cls(self.vis_proj(visual))


class AudioOnly(nn.Module):
    """The audio alone, through the gate's projection and classifier."""

    def __init__(self, num_visual: int, num_audio: int, num_classes: int, *, num_fused: int, dropout: float):
        super().__init__()
        self.aud_proj = nn.Linear(num_audio, num_fused)
        self.cls = _classifier(num_fused, num_classes, dropout)

    def forward(self, visual, audio, visual_present, audio_present) -> torch.Tensor:
        return self.cls(self.aud_proj(audio))


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
