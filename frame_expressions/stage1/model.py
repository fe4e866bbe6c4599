"""What Stage I trains: the vision encoder with a head.

Shapes: B images, P input side, D features, C classes.
"""

import torch
from torch import nn

from frame_expressions.encoders.class_token import check_class_token


class Classifier(nn.Module):
    """Encoder and head: pixel values [B, 3, P, P] -> logits [B, C] and auxiliary loss [] of the head.

    The head takes the encoder's class token [B, D]. Raises InputError for an encoder without one.
    """

    def __init__(self, *, backbone: nn.Module, head: nn.Module):
        super().__init__()
        check_class_token(backbone)
        self.backbone = backbone
        self.head = head

    def forward(self, pixel_values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        cls = self.backbone(pixel_values=pixel_values).last_hidden_state[:, 0]  # [B, D]
        return self.head(cls)
