"""Converts a DINOv2 with its original parameter names to the transformers model.

Source: https://github.com/facebookresearch/dinov2 for the original names and sizes.
"""

import math
import re
from pathlib import Path

import torch
from torch import nn
from transformers import Dinov2Config, Dinov2Model

from frame_expressions.networks.published_weights import check_names, check_tensors
from frame_expressions.runtime.errors import InputError

HEAD_FEATURES = 64
"""Features per attention head in every published DINOv2; the shapes do not show it."""

PREFIXES = ("", "module.", "backbone.", "module.backbone.")
"""Prefixes that training code puts before the backbone's names."""

LEFT_OUT = ("head", "dino_head", "ibot_head")
"""Training heads that a file may hold besides the backbone; no later step uses them."""

# Original name -> transformers' names; the original stacks several along axis 0.
_OUTER = {
    "cls_token": ("embeddings.cls_token",),
    "mask_token": ("embeddings.mask_token",),
    "pos_embed": ("embeddings.position_embeddings",),
    "patch_embed.proj.weight": ("embeddings.patch_embeddings.projection.weight",),
    "patch_embed.proj.bias": ("embeddings.patch_embeddings.projection.bias",),
    "norm.weight": ("layernorm.weight",),
    "norm.bias": ("layernorm.bias",),
}
_LAYERS = {
    "norm1": ("norm1",),
    "attn.qkv": ("attention.q_proj", "attention.k_proj", "attention.v_proj"),
    "attn.proj": ("attention.o_proj",),
    "norm2": ("norm2",),
}
_MLP = {"mlp.fc1": ("mlp.fc1",), "mlp.fc2": ("mlp.fc2",)}
_SWIGLU = {"mlp.w12": ("mlp.gate_proj", "mlp.up_proj"), "mlp.w3": ("mlp.down_proj",)}
_SCALES = {"ls1.gamma": ("layer_scale1.lambda1",), "ls2.gamma": ("layer_scale2.lambda1",)}

_BLOCK = re.compile(r"^blocks\.(?:\d+\.)?(\d+)\.(?=[a-z])")  # training in chunks writes the chunk's number first


def backbone_weights(
    state: dict[str, torch.Tensor], where: Path | str
) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Split a training network's state dict into the backbone, without its prefix, and the training heads.

    Only prefixes of `PREFIXES` and, next to a `backbone`, heads of `LEFT_OUT` are known; anything else raises
    InputError, which names it and the file `where`.
    """
    landmark = "patch_embed.proj.weight"
    prefixes = [name.removesuffix(landmark) for name in state if name.endswith(landmark)]
    if not prefixes:
        raise InputError(
            f"{where} lacks {landmark}",
            "give DINOv2 weights with their original names, or set encoders.visual.path for a folder in Hugging Face "
            "layout",
        )
    if len(prefixes) > 1 or prefixes[0] not in PREFIXES:
        raise InputError(
            f"{where} holds backbones under {', '.join(map(repr, sorted(prefixes)))}",
            f"save only one of them, without a prefix or with one of {', '.join(filter(None, PREFIXES))}",
        )
    prefix = prefixes[0]
    beside = tuple(f"{prefix.removesuffix('backbone.')}{head}." for head in LEFT_OUT) if "backbone" in prefix else ()
    backbone, heads, unknown = {}, {}, []
    for name, tensor in state.items():
        if name.startswith(prefix):
            backbone[name.removeprefix(prefix)] = tensor
        elif name.startswith(beside):
            heads[name] = tensor
        else:
            unknown.append(name)
    check_names(unknown, [], where)
    return backbone, heads


def dinov2_from_original(state: dict[str, torch.Tensor], where: Path | str) -> Dinov2Model:
    """The transformers model, float32 and in eval mode, of a state dict with DINOv2's original names.

    Sizes come from the tensors: features, layers, patch and image side (that of the position embeddings), MLP or
    SwiGLU. Raises InputError that names the file `where` and a tensor that is missing, unknown, of the
    wrong shape or not finite. Source: the original's vision_transformer.py.
    """
    if "register_tokens" in state:
        raise InputError(f"{where} is a DINOv2 with register_tokens", "give the variant without registers")
    tensors = {_BLOCK.sub(r"blocks.\1.", name): tensor for name, tensor in state.items()}
    if len(tensors) < len(state):
        raise InputError(f"{where} holds a block twice, in two chunks", "save each block once")
    num_layers = 1 + max((int(block[1]) for name in tensors if (block := _BLOCK.match(name))), default=0)
    names = _names(num_layers, is_swiglu="blocks.0.mlp.w12.weight" in tensors or "blocks.0.mlp.w3.weight" in tensors)
    check_names(tensors, names, where)

    with torch.device("meta"):
        model = Dinov2Model(_config(tensors, num_layers, where))
    made = model.state_dict()
    shapes = {
        original: (len(targets) * made[targets[0]].shape[0], *made[targets[0]].shape[1:])
        for original, targets in names.items()
    }
    check_tensors(tensors, shapes, where)
    renamed = {
        target: part
        for original, targets in names.items()
        for target, part in zip(targets, tensors[original].chunk(len(targets)), strict=True)
    }
    model.to_empty(device="cpu").load_state_dict(renamed, strict=True)
    return model.eval()


def resize_positions(model: Dinov2Model, image_px: int) -> None:
    """Resize the position embeddings of a square of M x M patches to those of images of `image_px`.

    The original resizes them in every forward pass, with a scale that is slightly too large; transformers resizes with
    the exact scale.
    Source: interpolate_pos_encoding of the original's vision_transformer.py.
    """
    config, positions = model.config, model.embeddings.position_embeddings.detach()  # [1, 1 + M * M, D]
    side, wanted = config.image_size // config.patch_size, image_px // config.patch_size
    if wanted == side:
        return
    patches = positions[:, 1:].transpose(1, 2).unflatten(2, (side, side))  # [1, D, M, M]
    resized = nn.functional.interpolate(patches, scale_factor=(wanted + 0.1) / side, mode="bicubic")
    resized = torch.cat([positions[:, :1], resized.flatten(2).transpose(1, 2)], dim=1)
    model.embeddings.position_embeddings = nn.Parameter(resized)
    config.image_size = wanted * config.patch_size


def _names(num_layers: int, *, is_swiglu: bool) -> dict[str, tuple[str, ...]]:
    """Every original name of a backbone, and transformers' names for it."""
    layers = _LAYERS | (_SWIGLU if is_swiglu else _MLP)
    block = {
        f"{original}.{kind}": tuple(f"{target}.{kind}" for target in targets)
        for original, targets in layers.items()
        for kind in ("weight", "bias")
    }
    block |= _SCALES
    return _OUTER | {
        f"blocks.{number}.{original}": tuple(f"encoder.layer.{number}.{target}" for target in targets)
        for number in range(num_layers)
        for original, targets in block.items()
    }


def _config(tensors: dict[str, torch.Tensor], num_layers: int, where: Path | str) -> Dinov2Config:
    """Sizes that fit the tensors if any do; otherwise those from which the tensors differ."""
    patches = tensors["patch_embed.proj.weight"]
    if patches.ndim != 4 or patches.numel() == 0 or patches.shape[0] % HEAD_FEATURES:
        raise InputError(
            f"{where}: patch_embed.proj.weight has the shape {tuple(patches.shape)}, not (a multiple of "
            f"{HEAD_FEATURES}, 3, patch side, patch side)",
            "give the weights of a DINOv2",
        )
    num_features, _, patch_px, _ = patches.shape
    is_swiglu = "blocks.0.mlp.w3.weight" in tensors
    last = tensors["blocks.0.mlp.w3.weight" if is_swiglu else "blocks.0.mlp.fc2.weight"]
    # A SwiGLU is two thirds as wide as an MLP, so both have the same number of weights.
    mlp_ratio = last.numel() / num_features**2 * (1.5 if is_swiglu else 1.0)
    num_positions = tensors["pos_embed"].numel() // num_features - 1
    return Dinov2Config(
        hidden_size=num_features,
        num_hidden_layers=num_layers,
        num_attention_heads=num_features // HEAD_FEATURES,
        mlp_ratio=max(1, round(mlp_ratio)),
        use_swiglu_ffn=is_swiglu,
        image_size=max(1, math.isqrt(max(0, num_positions))) * patch_px,
        patch_size=patch_px,
    )
