"""Learning rates that shrink towards the input, for fine-tuning a vision transformer."""

import re

from torch import nn

from frame_expressions.runtime.errors import InputError

# transformers' names: DINOv2, DINOv3, CLIP and SigLIP, and ViT, DeiT and BEiT without a prefix. From the beginning,
# since a block may hold layers of its own, and since those of a stage are counted anew in each.
_BLOCK = re.compile(r"(?:encoder\.|model\.)?layers?\.(\d+)\.")

_PATCHES = ("embeddings.patch_embeddings.", "embeddings.patch_embedding.")

# Beginnings of the names of the parameters that stay as they are.
FROZEN_EMBEDDINGS = {"none": (), "patches": _PATCHES, "all": ("embeddings.",)}

# Prefixes of the names of parameters before the first block; CLIP's norm is named so by transformers.
_BEFORE_BLOCKS = ("embeddings.", "pre_layrnorm.")


def _num_blocks(backbone: nn.Module) -> int:
    """How many blocks a network has; InputError where none is recognised."""
    numbers = [int(block[1]) for name, _ in backbone.named_parameters() if (block := _BLOCK.match(name))]
    if not numbers:
        raise InputError(
            (
                f"{type(backbone).__name__} has no blocks under a name that Stage I knows (encoder.layer.0, layers.0 "
                f"or "
                "alike)"
            ),
            "choose a vision transformer such as DINOv2 in encoders.visual",
        )
    return 1 + max(numbers)


def freeze(backbone: nn.Module, *, embeddings: str, num_blocks: int) -> None:
    """Stop gradients in the embeddings and the first `num_blocks` blocks.

    embeddings: `none`, `patches` (their projection alone, as the method does), or `all` (class and mask token and
    positions too). Raises InputError for a network whose blocks are not recognised.
    """
    _num_blocks(backbone)
    for name, parameter in backbone.named_parameters():
        block = _BLOCK.match(name)
        if block:
            parameter.requires_grad_(int(block[1]) >= num_blocks)
        else:
            parameter.requires_grad_(not name.startswith(FROZEN_EMBEDDINGS[embeddings]))


def parameter_groups(
    backbone: nn.Module,
    head: nn.Module,
    *,
    backbone_lr: float,
    head_lr: float,
    layer_decay: float,
    weight_decay: float,
) -> list[dict]:
    """AdamW parameter groups, one per learning rate and weight decay; frozen parameters are left out.

    Block i of L learns at backbone_lr * layer_decay ** (L - 1 - i), the embeddings at
    backbone_lr * layer_decay ** L, the final norm at backbone_lr. Vectors (biases, norms, layer scales) and all
    embeddings but the projection of the patches (class, mask and register tokens, positions) are not decayed. Raises
    InputError for a network whose blocks are not recognised.
    """
    num_blocks = _num_blocks(backbone)
    groups: dict[tuple[float, float], list] = {}

    def add(parameter: nn.Parameter, lr: float, decays: bool) -> None:
        if parameter.requires_grad:
            groups.setdefault((lr, weight_decay if decays else 0.0), []).append(parameter)

    for name, parameter in backbone.named_parameters():
        block = _BLOCK.match(name)
        if block:
            steps = num_blocks - 1 - int(block[1])
        else:
            steps = num_blocks if name.startswith(_BEFORE_BLOCKS) else 0
        is_token = name.startswith("embeddings.") and not name.startswith(_PATCHES)
        add(parameter, backbone_lr * layer_decay**steps, decays=parameter.ndim > 1 and not is_token)
    for parameter in head.parameters():
        add(parameter, head_lr, decays=parameter.ndim > 1)
    return [{"params": parameters, "lr": lr, "weight_decay": decay} for (lr, decay), parameters in groups.items()]
