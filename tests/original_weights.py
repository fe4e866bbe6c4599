"""Random weights in the form in which others publish theirs, and plain forward passes that use their names.

Shapes: B images, T tokens, D features, V visual and A audio features.
"""

import math

import torch
import torch.nn.functional as F

PATCH_PX = 4
GRID = 3
IMAGE_PX = GRID * PATCH_PX


def dinov2_state(num_features=128, num_layers=3, *, is_swiglu=False, grid=GRID, patch_px=PATCH_PX, seed=0):
    """A backbone's state dict; every tensor is drawn wide enough to matter in the output."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape, around=0.0, spread=0.3):
        return around + spread * torch.randn(*shape, generator=generator)

    def linear(name, num_out, num_in):
        return {f"{name}.weight": draw(num_out, num_in, spread=num_in**-0.5), f"{name}.bias": draw(num_out)}

    def norm(name):
        return {f"{name}.weight": draw(num_features, around=1.0), f"{name}.bias": draw(num_features)}

    state = {
        "cls_token": draw(1, 1, num_features),
        "pos_embed": draw(1, 1 + grid**2, num_features),
        "mask_token": draw(1, num_features),
        "patch_embed.proj.weight": draw(num_features, 3, patch_px, patch_px),
        "patch_embed.proj.bias": draw(num_features),
    }
    for number in range(num_layers):
        block = f"blocks.{number}"
        state |= norm(f"{block}.norm1") | linear(f"{block}.attn.qkv", 3 * num_features, num_features)
        state |= linear(f"{block}.attn.proj", num_features, num_features)
        state |= {f"{block}.ls1.gamma": draw(num_features), f"{block}.ls2.gamma": draw(num_features)}
        state |= norm(f"{block}.norm2")
        if is_swiglu:
            width = (int(4 * num_features * 2 / 3) + 7) // 8 * 8
            state |= linear(f"{block}.mlp.w12", 2 * width, num_features)
            state |= linear(f"{block}.mlp.w3", num_features, width)
        else:
            state |= linear(f"{block}.mlp.fc1", 4 * num_features, num_features)
            state |= linear(f"{block}.mlp.fc2", num_features, 4 * num_features)
    return state | norm("norm")


def dinov2_cls(state, images, positions=None):
    """Images [B, 3, S, S] through the original names, to the normalised class token [B, D]; 64 features a head.

    `positions` [1, T, D] replace the state dict's own where the images have another size.
    """
    num_features = state["cls_token"].shape[-1]
    patch_px = state["patch_embed.proj.weight"].shape[-1]

    def norm(name, x):
        return F.layer_norm(x, (num_features,), state[f"{name}.weight"], state[f"{name}.bias"], eps=1e-6)

    def linear(name, x):
        return x @ state[f"{name}.weight"].T + state[f"{name}.bias"]

    patches = F.conv2d(images, state["patch_embed.proj.weight"], state["patch_embed.proj.bias"], stride=patch_px)
    tokens = patches.flatten(2).transpose(1, 2)  # [B, T - 1, D], row by row
    x = torch.cat([state["cls_token"].expand(len(images), -1, -1), tokens], dim=1)
    x = x + (state["pos_embed"] if positions is None else positions)
    for number in range(1 + max(int(name.split(".")[1]) for name in state if name.startswith("blocks."))):
        block = f"blocks.{number}"
        qkv = linear(f"{block}.attn.qkv", norm(f"{block}.norm1", x))
        qkv = qkv.unflatten(-1, (3, num_features // 64, 64)).permute(2, 0, 3, 1, 4)  # [3, B, heads, T, 64]
        query, key, value = qkv
        attention = (query @ key.transpose(-1, -2) / math.sqrt(64)).softmax(dim=-1)
        mixed = (attention @ value).transpose(1, 2).flatten(2)  # [B, T, D]
        x = x + state[f"{block}.ls1.gamma"] * linear(f"{block}.attn.proj", mixed)
        hidden = norm(f"{block}.norm2", x)
        if f"{block}.mlp.w12.weight" in state:
            first, second = linear(f"{block}.mlp.w12", hidden).chunk(2, dim=-1)
            hidden = linear(f"{block}.mlp.w3", F.silu(first) * second)
        else:
            hidden = linear(f"{block}.mlp.fc2", F.gelu(linear(f"{block}.mlp.fc1", hidden)))
        x = x + state[f"{block}.ls2.gamma"] * hidden
    return norm("norm", x)[:, 0]


def resized_positions(positions, grid):
    """Position embeddings [1, 1 + M * M, D] as the original resizes them for grid x grid patches, one axis at a time.

    Bicubic (a = -0.75), each output at (place + 0.5) / scale - 0.5 with the scale (grid + 0.1) / M, so slightly off its
    middle; beyond the edge, the edge.
    """
    side = math.isqrt(positions.shape[1] - 1)
    scale, a = (grid + 0.1) / side, -0.75
    shares = torch.zeros(grid, side)
    for place in range(grid):
        source = (place + 0.5) / scale - 0.5
        for neighbour in range(math.floor(source) - 1, math.floor(source) + 3):
            away = abs(source - neighbour)
            near = (a + 2) * away**3 - (a + 3) * away**2 + 1
            far = a * (away**3 - 5 * away**2 + 8 * away - 4)
            shares[place, min(max(neighbour, 0), side - 1)] += near if away <= 1 else far
    patches = positions[0, 1:].unflatten(0, (side, side))  # [M, M, D]
    resized = torch.einsum("pm,qn,mnd->pqd", shares, shares, patches)
    return torch.cat([positions[:, :1], resized.flatten(0, 1)[None]], dim=1)


def gate_state(num_visual=6, num_audio=5, num_fused=7, num_classes=8, seed=0):
    """A gate's state dict and its statistics, by the published names."""
    generator = torch.Generator().manual_seed(seed)
    sizes = {
        "vis_proj": (num_fused, num_visual),
        "aud_proj": (num_fused, num_audio),
        "gate.0": (num_fused, num_visual + num_audio),
        "gate.3": (num_fused, num_fused),
        "cls.0": (num_fused,),
        "cls.2": (num_classes, num_fused),
    }
    state = {}
    for name, size in sizes.items():
        state[f"{name}.weight"] = torch.randn(*size, generator=generator)
        state[f"{name}.bias"] = torch.randn(size[0], generator=generator)
    statistics = {}
    for modality, size in (("vis", num_visual), ("aud", num_audio)):
        statistics[f"train_{modality}_mean"] = (0.1 * torch.randn(size, generator=generator)).numpy()
        statistics[f"train_{modality}_std"] = (0.05 + 0.1 * torch.rand(size, generator=generator)).numpy()
    return state, statistics


def gate_logits(state, statistics, visual, audio):
    """Raw features [B, V] and [B, A] through the original names, to logits [B, C], one frame after the other."""
    logits = []
    vis_mean, vis_std, aud_mean, aud_std = (
        torch.from_numpy(statistics[f"train_{name}"]) for name in ("vis_mean", "vis_std", "aud_mean", "aud_std")
    )
    for v, a in zip(visual, audio, strict=True):
        v = (v / v.norm() - vis_mean) / vis_std
        a = (a / a.norm() - aud_mean) / aud_std
        hidden = (state["gate.0.weight"] @ torch.cat([v, a]) + state["gate.0.bias"]).clamp(min=0)
        gate = 1 / (1 + torch.exp(-(state["gate.3.weight"] @ hidden + state["gate.3.bias"])))
        fused = gate * (state["vis_proj.weight"] @ v + state["vis_proj.bias"])
        fused = fused + (1 - gate) * (state["aud_proj.weight"] @ a + state["aud_proj.bias"])
        fused = (fused - fused.mean()) / torch.sqrt(fused.var(unbiased=False) + 1e-5)
        fused = fused * state["cls.0.weight"] + state["cls.0.bias"]
        logits.append(state["cls.2.weight"] @ fused + state["cls.2.bias"])
    return torch.stack(logits)
