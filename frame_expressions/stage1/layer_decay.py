"""Layer-wise learning rates that decrease towards the input, for fine-tuning a vision transformer."""

import re

from torch import nn

from frame_expressions.runtime.errors import InputError

# transformers' names: DINOv2, DINOv3, CLIP and SigLIP, and ViT, DeiT and BEiT without a prefix. Matched from the start
# of a name, because a block may have layers of its own, and a network of stages numbers the layers of each from 0.
_BLOCK = re.compile(r"(?:encoder\.|model\.)?layers?\.(\d+)\.")

_PATCHES = ("embeddings.patch_embeddings.", "embeddings.patch_embedding.")

# Prefixes of the names of frozen parameters.
FROZEN_EMBEDDINGS = {"none": (), "patches": _PATCHES, "all": ("embeddings.",)}

# Prefixes of the names of parameters before the first block; the spelling of CLIP's norm is transformers' own.
_BEFORE_BLOCKS = ("embeddings.", "pre_layrnorm.")


def _num_blocks(backbone: nn.Module) -> int:
    """Number of a network's blocks. Raises InputError if none is recognised."""
    numbers = [int(block[1]) for name, _ in backbone.named_parameters() if (block := _BLOCK.match(name))]
    if not numbers:
        raise InputError(
            f"{type(backbone).__name__} has no blocks under a name that Stage I knows (encoder.layer.0, layers.0)",
            "choose a vision transformer such as DINOv2 in encoders.visual",
        )
    return 1 + max(numbers)


def freeze(backbone: nn.Module, *, embeddings: str, num_blocks: int) -> None:
    """Stop gradients in the embeddings and the first `num_blocks` blocks.

    embeddings: `none`, `patches` (only the patch projection, as in the method), or `all` (also class and mask tokens
    and positions). Raises InputError for a network whose blocks are not recognised.
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
    embeddings but the patch projection (class, mask and register tokens, positions) have no weight decay. Raises
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
