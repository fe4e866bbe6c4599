"""Which vision encoders have a class token, the output that represents the whole image."""

from torch import nn

from frame_expressions.runtime.errors import InputError


def check_class_token(encoder: nn.Module) -> None:
    """Raise InputError for an encoder whose first token is an ordinary patch, such as SigLIP and I-JEPA."""
    if not any(name.endswith(("cls_token", "class_embedding")) for name, _ in encoder.named_parameters()):
        raise InputError(
            f"{type(encoder).__name__} has no class token, and its first token is a corner of the image",
            "choose an encoder with one (DINOv2, ViT, DeiT, BEiT, DINOv3 ViT, CLIP) in encoders.visual",
        )
