"""DINOv2 for inference; equals the class token of transformers' plain `Dinov2Model`, within rounding, in less time.

A reader may skip this module: `optimise_for_inference` is its only entry.

Shapes: B crops, P input side, H heads, N tokens of a crop, D features.
"""

import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, Dinov2Model


def optimise_for_inference(encoder: Dinov2Model, image_px: int, device: torch.device, dtype: torch.dtype) -> None:
    """Remove from a float32 DINOv2 in eval mode everything that its class token on images of `image_px` does not need.

    device, dtype: where and how precisely it will run.
    """
    blocks, config = encoder.encoder.layer, encoder.config
    if not hasattr(blocks[-1].attention, "o_proj"):  # earlier releases of transformers 5 use another name
        return
    is_half = dtype != torch.float32
    _resize_positions(encoder.embeddings, image_px)
    for block in blocks:
        mlp = block.mlp
        if dtype != torch.float16:  # in which products of small weights and small scales would be subnormal
            _fold_scale(block.attention.o_proj, block.layer_scale1)
            _fold_scale(mlp.down_proj if config.use_swiglu_ffn else mlp.fc2, block.layer_scale2)
            block.layer_scale1 = block.layer_scale2 = nn.Identity()
        if device.type == "cuda" and is_half and config.hidden_act == "gelu" and not config.use_swiglu_ffn:
            mlp.fc1, mlp.activation_fn = GeluLinear(linear=mlp.fc1), nn.Identity()
    blocks[-1] = ClassTokenBlock(block=blocks[-1])
    if device.type == "cpu" and is_half:
        encoder.set_attn_implementation(_BY_CROP)


@torch.no_grad()
def _resize_positions(embeddings: nn.Module, image_px: int) -> None:
    """Resize the position embeddings to the input once; transformers resizes them in every batch."""
    side = image_px // embeddings.patch_embeddings.patch_size[0]
    tokens = torch.empty(1, 1 + side * side, embeddings.position_embeddings.shape[-1])
    resized = embeddings.interpolate_pos_encoding(tokens, image_px, image_px)
    embeddings.position_embeddings = nn.Parameter(resized.clone(), requires_grad=False)


@torch.no_grad()
def _fold_scale(layer: nn.Linear, scale: nn.Module) -> None:
    """Multiply the scale that follows a layer into the layer's weights."""
    layer.weight.mul_(scale.lambda1[:, None])
    layer.bias.mul_(scale.lambda1)


class GeluLinear(nn.Module):
    """GELU of a linear layer, fused with the product on a GPU: [B, N, D] -> [B, N, M].

    It is GELU's tanh form, which differs from the exact form by less than half precision's rounding.
    """

    def __init__(self, *, linear: nn.Linear):
        super().__init__()
        self.linear = linear

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        weight, bias = self.linear.weight, self.linear.bias
        # Private, but torch has no public equivalent; nn.TransformerEncoder uses it too.
        product = torch._addmm_activation(bias, tokens.flatten(0, -2), weight.t(), use_gelu=True)
        return product.unflatten(0, tokens.shape[:-1])


class ClassTokenBlock(nn.Module):
    """DINOv2's last block for the class token only: [B, N, D] -> [B, 1, D].

    The outputs of the other tokens are not used, so only their keys and values are computed.
    """

    def __init__(self, *, block: nn.Module):
        super().__init__()
        self.block = block

    def forward(self, hidden_states: torch.Tensor, *args: object, **kwargs: object) -> torch.Tensor:
        block, attention = self.block, self.block.attention
        normed = block.norm1(hidden_states)
        heads = (attention.num_attention_heads, attention.head_dim)
        query, key, value = (
            project(tokens).unflatten(-1, heads).transpose(1, 2)  # [B, H, 1 or N, D / H]
            for project, tokens in (
                (attention.q_proj, normed[:, :1]),
                (attention.k_proj, normed),
                (attention.v_proj, normed),
            )
        )
        attended = scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)  # [B, 1, D]
        token = hidden_states[:, :1] + block.layer_scale1(attention.o_proj(attended))
        return token + block.layer_scale2(block.mlp(block.norm2(token)))


def _attention_by_crop(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float,
    **kwargs: object,
) -> tuple[torch.Tensor, None]:
    """Attention, one crop at a time: [B, H, N, D / H] -> [B, N, H, D / H].

    A crop's weights fit into the cache. On a CPU in half precision, this takes 0.6 times as long as torch's own
    attention, which is optimised for longer sequences.
    """
    if attention_mask is not None:
        raise ValueError("a vision encoder masks no token")
    attended = query.new_empty(query.transpose(1, 2).shape)
    for crop in range(len(query)):
        weights = torch.softmax(query[crop] * scaling @ key[crop].transpose(-1, -2), dim=-1)
        attended[crop] = (weights @ value[crop]).transpose(0, 1)
    return attended, None


_BY_CROP = "by_crop"
AttentionInterface.register(_BY_CROP, _attention_by_crop)
