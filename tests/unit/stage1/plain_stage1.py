"""Plain, slow training step of Stage I: what frame_expressions/stage1 must equal. It imports nothing of the package.

Shapes: B rows, T tokens (class token and patches), D width of the network, C classes. Weights are a dict of names and
tensors: `backbone.` and DINOv2's own names, `head.` and the names of the published head.

Sources: the architecture of DINOv2 (facebookresearch/dinov2, ViT-S/14 to ViT-L/14); the published method, section 5
(head, losses, mixup) and its training code (rates, decays, clip, order of the steps).
"""

import math
from dataclasses import dataclass

import torch

Weights = dict[str, torch.Tensor]

NUM_CLASSES = 8
NUM_EXPERTS = 4
BLOCKS_PER_EXPERT = 3


@dataclass(frozen=True)
class Batch:
    """
    images: (B, 3, H, W), normalised, as the augmentation leaves them
    labels: (B,), 0..7
    partner: (B,), the row each row is mixed with
    share: the one draw of Beta(0.2, 0.2); a row keeps this share of itself
    masks: multipliers of dropout and drop path by place (draw_masks); a place that is left out is not dropped
    """

    images: torch.Tensor
    labels: torch.Tensor
    partner: torch.Tensor
    share: float
    masks: Weights


@dataclass(frozen=True)
class Method:
    """The published settings; only the number of heads and of frozen blocks depend on the network's size."""

    num_heads: int
    num_frozen_blocks: int
    patch_px: int = 14
    position_offset: float = 0.1
    label_smoothing: float = 0.1
    lr_backbone: float = 1e-5
    lr_head: float = 3e-4
    lr_floor: float = 1e-7
    layer_decay: float = 0.85
    weight_decay: float = 0.05
    clip_norm: float = 1.0
    epochs: int = 12


# ----------------------------------------------------------------------------------------------------------------------
# Layers


def linear(weights: Weights, name: str, x: torch.Tensor) -> torch.Tensor:
    return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def layer_norm(weights: Weights, name: str, x: torch.Tensor, eps: float) -> torch.Tensor:
    centred = x - x.mean(-1, keepdim=True)
    variance = centred.square().mean(-1, keepdim=True)
    return centred / torch.sqrt(variance + eps) * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def gelu(x: torch.Tensor) -> torch.Tensor:
    """x times the normal distribution's share below x, not the tanh approximation."""
    return x * (1 + torch.erf(x / math.sqrt(2))) / 2


def silu(x: torch.Tensor) -> torch.Tensor:
    return x / (1 + torch.exp(-x))


# ----------------------------------------------------------------------------------------------------------------------
# DINOv2

DINOV2_EPS = 1e-6


def features(weights: Weights, images: torch.Tensor, method: Method) -> torch.Tensor:
    """(B, 3, H, W) normalised images to the (B, D) class token after the final norm."""
    x = tokens(weights, images, method)
    for block in range(num_blocks(weights)):
        name = f"backbone.blocks.{block}"
        attended = attention(weights, f"{name}.attn", layer_norm(weights, f"{name}.norm1", x, DINOV2_EPS), method)
        x = x + weights[f"{name}.ls1.gamma"] * attended
        hidden = gelu(linear(weights, f"{name}.mlp.fc1", layer_norm(weights, f"{name}.norm2", x, DINOV2_EPS)))
        x = x + weights[f"{name}.ls2.gamma"] * linear(weights, f"{name}.mlp.fc2", hidden)
    return layer_norm(weights, "backbone.norm", x, DINOV2_EPS)[:, 0]


def num_blocks(weights: Weights) -> int:
    return 1 + max(int(name.split(".")[2]) for name in weights if name.startswith("backbone.blocks."))


def tokens(weights: Weights, images: torch.Tensor, method: Method) -> torch.Tensor:
    """Patches projected by a convolution with stride 14, after the class token; positions are added. (B, T, D)."""
    rows, channels, height, width = images.shape
    px = method.patch_px
    down, across = height // px, width // px
    patches = images.reshape(rows, channels, down, px, across, px).permute(0, 2, 4, 1, 3, 5)
    patches = patches.reshape(rows, down * across, channels * px * px)
    kernel = weights["backbone.patch_embed.proj.weight"].flatten(1)  # (D, 3 x 14 x 14)
    x = patches @ kernel.T + weights["backbone.patch_embed.proj.bias"]
    x = torch.cat([weights["backbone.cls_token"].expand(rows, -1, -1), x], dim=1)
    return x + positions(weights["backbone.pos_embed"], down, across, method.position_offset)


def positions(embeddings: torch.Tensor, down: int, across: int, offset: float) -> torch.Tensor:
    """(1, 1 + side x side, D), those of 518 px (37 x 37), to (1, 1 + down x across, D): bicubic, without antialiasing.

    The class token's own is kept. Source: DINOv2 asks for the scale (down + 0.1) / side, so that rounding cannot lose a
    patch; the offset also moves where each new position is sampled.
    """
    side = math.isqrt(embeddings.shape[1] - 1)
    if (down, across) == (side, side):
        return embeddings
    grid = embeddings[0, 1:].reshape(side, side, -1)
    grid = torch.einsum("ah,bw,hwd->abd", bicubic(side, down, offset, grid), bicubic(side, across, offset, grid), grid)
    return torch.cat([embeddings[:, :1], grid.reshape(1, down * across, -1)], dim=1)


def bicubic(old: int, new: int, offset: float, like: torch.Tensor) -> torch.Tensor:
    """(new, old): the weight of each old sample in each new one. Cubic convolution with a = -0.75, edges repeated."""

    def kernel(distance: float, a: float = -0.75) -> float:
        d = abs(distance)
        if d <= 1:
            return (a + 2) * d**3 - (a + 3) * d**2 + 1
        return a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a if d < 2 else 0.0

    matrix = torch.zeros(new, old, dtype=torch.float64)
    for row in range(new):
        centre = (row + 0.5) * old / (new + offset) - 0.5
        for sample in range(math.floor(centre) - 1, math.floor(centre) + 3):
            matrix[row, min(max(sample, 0), old - 1)] += kernel(centre - sample)
    return matrix.to(like)


def attention(weights: Weights, name: str, x: torch.Tensor, method: Method) -> torch.Tensor:
    """Every token attends to every token, (B, T, D); the rows of qkv are the queries, keys and values of all heads."""
    query, key, value = linear(weights, f"{name}.qkv", x).chunk(3, dim=-1)
    size = x.shape[-1] // method.num_heads
    attended = []
    for head in range(method.num_heads):
        part = slice(head * size, (head + 1) * size)
        similarity = query[..., part] @ key[..., part].transpose(1, 2) / math.sqrt(size)  # (B, T, T)
        attended.append(torch.softmax(similarity, dim=-1) @ value[..., part])
    return linear(weights, f"{name}.proj", torch.cat(attended, dim=-1))


# ----------------------------------------------------------------------------------------------------------------------
# Mixture of experts

HEAD_EPS = 1e-5


def logits(weights: Weights, x: torch.Tensor, masks: Weights) -> torch.Tensor:
    """(B, D) features to (B, 8). Every expert runs on every row; the router's softmax weighs their outputs.

    Dropout is on the hidden product of SwiGLU and before the last layer. A branch's output has drop path only.
    """
    x = layer_norm(weights, "head.in_norm", x, HEAD_EPS)
    hidden = gelu(layer_norm(weights, "head.router.1", linear(weights, "head.router.0", x), HEAD_EPS))
    routing = torch.softmax(linear(weights, "head.router.3", hidden), dim=-1)  # (B, experts)
    mixed = torch.zeros_like(x)
    for expert in range(NUM_EXPERTS):
        h = x
        for block in range(BLOCKS_PER_EXPERT):
            name = f"head.experts.{expert}.{block}"
            inner = layer_norm(weights, f"{name}.norm", h, HEAD_EPS)
            product = linear(weights, f"{name}.mlp.fc1", inner) * silu(linear(weights, f"{name}.mlp.fc2", inner))
            branch = linear(weights, f"{name}.mlp.proj", product * masks.get(f"{name}.dropout", 1.0))
            h = h + branch * masks.get(f"{name}.drop_path", 1.0)
        mixed = mixed + routing[:, expert : expert + 1] * h
    x = layer_norm(weights, "head.out_norm", mixed, HEAD_EPS)
    return linear(weights, "head.cls", x * masks.get("head.dropout", 1.0))


def draw_masks(
    num_rows: int, width: int, generator: torch.Generator, *, dropout: float = 0.6, drop_path: float = 0.1
) -> Weights:
    """0 where dropped, 1 / (1 - rate) where kept: dropout for each element, drop path for each row (B, 1).

    Drop path rises from 0 in an expert's first block to `drop_path` in its last.
    """

    def mask(columns: int, rate: float) -> torch.Tensor:
        return (torch.rand(num_rows, columns, generator=generator) >= rate) / (1 - rate)

    masks = {"head.dropout": mask(width, dropout)}
    for expert in range(NUM_EXPERTS):
        for block in range(BLOCKS_PER_EXPERT):
            name = f"head.experts.{expert}.{block}"
            masks[f"{name}.dropout"] = mask(2 * width, dropout)
            masks[f"{name}.drop_path"] = mask(1, drop_path * block / (BLOCKS_PER_EXPERT - 1))
    return masks


# ----------------------------------------------------------------------------------------------------------------------
# Loss


def class_weights(labels: torch.Tensor) -> torch.Tensor:
    """(8,) from the labels of the whole training list: N / (8 n_c), with a mean of 1."""
    counts = torch.stack([(labels == label).sum() for label in range(NUM_CLASSES)]).clamp(min=1).double()
    weights = len(labels) / (NUM_CLASSES * counts)
    return (weights / weights.mean()).float()


def soft_targets(labels: torch.Tensor, smoothing: float) -> torch.Tensor:
    """(B,) to (B, 8): the label keeps 1 - smoothing, and all 8 classes share the rest."""
    targets = torch.full((len(labels), NUM_CLASSES), smoothing / NUM_CLASSES)
    targets[torch.arange(len(labels)), labels] += 1 - smoothing
    return targets


def mix(x: torch.Tensor, partner: torch.Tensor, share: float) -> torch.Tensor:
    """Mixup (Zhang et al. 2018), the same for images and soft targets. One share for the batch."""
    return share * x + (1 - share) * x[partner]


def loss_of(weights: Weights, batch: Batch, of_class: torch.Tensor, method: Method) -> torch.Tensor:
    """- sum over classes of y w log p, mean over rows; not divided by the weights."""
    targets = mix(soft_targets(batch.labels, method.label_smoothing), batch.partner, batch.share).to(batch.images)
    images = mix(batch.images, batch.partner, batch.share)
    x = logits(weights, features(weights, images, method), batch.masks)
    log_p = x - torch.logsumexp(x, dim=-1, keepdim=True)
    return -(targets * of_class.to(x) * log_p).sum(-1).mean()


# ----------------------------------------------------------------------------------------------------------------------
# Optimiser


def block_of(name: str) -> int | None:
    return int(name.split(".")[2]) if name.startswith("backbone.blocks.") else None


def is_frozen(name: str, method: Method) -> bool:
    """Patch embedding and the first blocks. Class token, positions and mask token are trained."""
    block = block_of(name)
    return name.startswith("backbone.patch_embed.") or (block is not None and block < method.num_frozen_blocks)


def rate_of(name: str, depth: int, method: Method, epoch: int = 0) -> float:
    """A block's rate falls with its distance from the last one; the final norm and the tokens keep the backbone's rate.

    Cosine over the epochs, one step an epoch, the same floor for every weight.
    """
    block = block_of(name)
    if name.startswith("head."):
        rate = method.lr_head
    elif block is not None:
        rate = method.lr_backbone * method.layer_decay ** (depth - 1 - block)
    else:
        rate = method.lr_backbone
    return method.lr_floor + (rate - method.lr_floor) * (1 + math.cos(math.pi * epoch / method.epochs)) / 2


def decay_of(name: str, value: torch.Tensor, method: Method) -> float:
    """None on biases, norms and whatever has one dimension (LayerScale too). Class token and positions are decayed."""
    spared = name.endswith(".bias") or value.ndim == 1 or "norm" in name or "ln" in name
    return 0.0 if spared else method.weight_decay


class AdamW:
    """Decoupled weight decay (Loshchilov and Hutter 2019), with PyTorch's default betas and epsilon."""

    beta1, beta2, eps = 0.9, 0.999, 1e-8

    def __init__(self) -> None:
        self.mean: Weights = {}
        self.square: Weights = {}
        self.num_steps = 0

    def step(self, weights: Weights, gradients: Weights, method: Method, epoch: int = 0) -> Weights:
        """The weights after one clip over all gradients together and one step; a weight without a gradient stays."""
        self.num_steps += 1
        scale = min(1.0, method.clip_norm / (norm_of(gradients).item() + 1e-6))
        moved = {}
        for name, gradient in gradients.items():
            value = weights[name]
            rate = rate_of(name, num_blocks(weights), method, epoch)
            decayed = value * (1 - rate * decay_of(name, value, method))
            moved[name] = decayed - rate * self._direction(name, scale * gradient)
        return weights | moved

    def _direction(self, name: str, gradient: torch.Tensor) -> torch.Tensor:
        mean = self.beta1 * self.mean.get(name, 0.0) + (1 - self.beta1) * gradient
        square = self.beta2 * self.square.get(name, 0.0) + (1 - self.beta2) * gradient.square()
        self.mean[name], self.square[name] = mean, square
        unbiased_mean = mean / (1 - self.beta1**self.num_steps)
        unbiased_square = square / (1 - self.beta2**self.num_steps)
        return unbiased_mean / (torch.sqrt(unbiased_square) + self.eps)


def norm_of(gradients: Weights) -> torch.Tensor:
    return torch.sqrt(sum(gradient.square().sum() for gradient in gradients.values()))


def gradients_of(
    weights: Weights, batch: Batch, of_class: torch.Tensor, method: Method
) -> tuple[torch.Tensor, Weights]:
    """The loss, and its gradients; a frozen or unused weight (the mask token) has none."""
    leaves = {name: value.clone().requires_grad_(not is_frozen(name, method)) for name, value in weights.items()}
    loss = loss_of(leaves, batch, of_class, method)
    loss.backward()
    return loss.detach(), {name: leaf.grad for name, leaf in leaves.items() if leaf.grad is not None}
