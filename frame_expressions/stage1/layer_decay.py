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

# Prefixes of the names of parameters that learn more slowly than the first block: the patch projection, and CLIP's norm
# before the blocks, whose spelling is transformers' own.
_BEFORE_BLOCKS = (*_PATCHES, "pre_layrnorm.")

# Names without weight decay: biases, and layers called norm or ln.
_NO_DECAY = re.compile(r"(?:^|\.)bias$|norm|(?:^|[._])ln(?:[._]|$)")


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

    Block i of L learns at backbone_lr * layer_decay ** (L - 1 - i), the patch projection at
    backbone_lr * layer_decay ** L, everything else (class, mask and register tokens, positions, the final norm) at
    backbone_lr. One-dimensional parameters (such as layer scales) and those called bias, norm or ln have no weight
    decay. The optimizer leaves the mask token as it is, because it never gets a gradient. Raises InputError for a
    network whose blocks are not recognised. Source: the authors' code.
    """
    num_blocks = _num_blocks(backbone)
    groups: dict[tuple[float, float], list] = {}

    def add(name: str, parameter: nn.Parameter, lr: float) -> None:
        if parameter.requires_grad:
            decays = parameter.ndim > 1 and not _NO_DECAY.search(name)
            groups.setdefault((lr, weight_decay if decays else 0.0), []).append(parameter)

    for name, parameter in backbone.named_parameters():
        block = _BLOCK.match(name)
        if block:
            steps = num_blocks - 1 - int(block[1])
        else:
            steps = num_blocks if name.startswith(_BEFORE_BLOCKS) else 0
        add(name, parameter, backbone_lr * layer_decay**steps)
    for name, parameter in head.named_parameters():
        add(name, parameter, head_lr)
    return [{"params": parameters, "lr": lr, "weight_decay": decay} for (lr, decay), parameters in groups.items()]
