"""Fusion heads: from a frame's visual and audio feature to logits, knowing which of them is there.

Shapes: B frames, V visual features, A audio features, H fused features, C classes. A missing modality comes as
zeros with its `present` flag down.
"""

import torch
from torch import nn


class GatedFusion(nn.Module):
    """z = g * Wv v + (1 - g) * Wa a with a gate per fused feature, then LayerNorm, dropout and one linear layer.

    Where only one modality is there the gate is fixed on it. Source: the method's Stage II.
    """

    def __init__(
        self,
        num_visual: int,
        num_audio: int,
        num_classes: int,
        *,
        num_fused: int,
        visual_dropout: float,
        audio_dropout: float,
        dropout: float,
    ):
        super().__init__()
        self.visual_dropout = nn.Dropout(visual_dropout)
        self.audio_dropout = nn.Dropout(audio_dropout)
        self.vis_proj = nn.Linear(num_visual, num_fused)
        self.aud_proj = nn.Linear(num_audio, num_fused)
        self.gate = nn.Sequential(
            nn.Linear(num_visual + num_audio, num_fused),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(num_fused, num_fused),
        )
        self.cls = nn.Sequential(nn.LayerNorm(num_fused), nn.Dropout(dropout), nn.Linear(num_fused, num_classes))

    def forward(
        self,
        visual: torch.Tensor,
        audio: torch.Tensor,
        visual_present: torch.Tensor,
        audio_present: torch.Tensor,
    ) -> torch.Tensor:
        """visual [B, V], audio [B, A], two flags [B] bool -> logits [B, C]."""
        visual, audio = self.visual_dropout(visual), self.audio_dropout(audio)
        gate = torch.sigmoid(self.gate(torch.cat([visual, audio], dim=-1)))  # [B, H]
        gate = torch.where((visual_present & ~audio_present)[:, None], 1.0, gate)
        gate = torch.where((audio_present & ~visual_present)[:, None], 0.0, gate)
        fused = gate * self.vis_proj(visual) + (1.0 - gate) * self.aud_proj(audio)
        return self.cls(fused)


HEADS = {"gate": GatedFusion}
