"""Learning rates that shrink towards the input, for fine-tuning a vision transformer."""

import re

from torch import nn

_BLOCK = re.compile(r"encoder\.layer\.(\d+)\.")


# Beginnings of the names of the parameters that stay as they are.
FROZEN_EMBEDDINGS = {"none": (), "patches": ("embeddings.patch_embeddings.",), "all": ("embeddings.",)}


def freeze(backbone: nn.Module, *, embeddings: str, num_blocks: int) -> None:
    """Stop gradients in the embeddings and the first `num_blocks` blocks.

    embeddings: `none`, `patches` (their projection alone, as the method does), or `all` (class and mask token and
    positions too).
    """
    for name, parameter in backbone.named_parameters():
        block = _BLOCK.search(name)
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
    backbone_lr * layer_decay ** L, the final norm at backbone_lr. Vectors (biases, norms, layer scales) and
    the class, mask and position embeddings are not decayed.
    """
    num_blocks = 1 + max(int(block[1]) for name, _ in backbone.named_parameters() if (block := _BLOCK.search(name)))
    groups: dict[tuple[float, float], list] = {}

    def add(parameter: nn.Parameter, lr: float, decays: bool) -> None:
        if parameter.requires_grad:
            groups.setdefault((lr, weight_decay if decays else 0.0), []).append(parameter)

    for name, parameter in backbone.named_parameters():
        block = _BLOCK.search(name)
        if block:
            steps = num_blocks - 1 - int(block[1])
        else:
            steps = num_blocks if name.startswith("embeddings.") else 0
        is_token = name.endswith(("_token", "position_embeddings"))
        add(parameter, backbone_lr * layer_decay**steps, decays=parameter.ndim > 1 and not is_token)
    for parameter in head.parameters():
        add(parameter, head_lr, decays=parameter.ndim > 1)
    return [{"params": parameters, "lr": lr, "weight_decay": decay} for (lr, decay), parameters in groups.items()]
