"""A training step of Stage I, as the product runs it with the authors' settings, against plain_stage1.py.

A DINOv2 with the structure of ViT-S/14, made small, in float32 on a CPU. The product takes its step in `_train_epoch`,
with its own inputs, optimizer, schedule and accelerator; only decoding and augmentation are left out.
"""

from dataclasses import replace
from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import yaml
from torch import nn

from frame_expressions.encoders.loading import random_encoder
from frame_expressions.networks.schedule import warmup_then_cosine
from frame_expressions.stage1 import training
from frame_expressions.stage1.heads import make_head
from frame_expressions.stage1.layer_decay import freeze
from frame_expressions.stage1.model import Classifier
from frame_expressions.stage1.moe import DropPath
from frame_expressions.stage1.settings import Stage1Settings
from tests.conftest import ROOT
from tests.unit.stage1 import plain_stage1 as plain

WIDTH, NUM_HEADS, DEPTH, NUM_FROZEN, ROUTER = 64, 4, 4, 2, 256
IMAGE_PX, GRID, PATCH_PX = 56, 7, 14  # 4 x 4 patches, from positions of 7 x 7
EPOCH = 1
LABELS = np.repeat(np.arange(8), [12, 3, 2, 1, 9, 6, 4, 5])  # of the whole training list
BATCH_LABELS = torch.tensor([4, 0, 7, 3])
# transformers resizes positions with the exact scale, DINOv2 with one that is 0.1 patches too large.
METHOD = plain.Method(num_heads=NUM_HEADS, num_frozen_blocks=NUM_FROZEN, position_offset=0.0)


def _settings():
    """The authors' settings over the defaults, in float32 and with as few frozen blocks as the small network has."""
    files = (ROOT / name for name in ("config.yaml", "config.affwild2.yaml"))
    base, over = (yaml.safe_load(file.read_text())["stage1"] for file in files)
    for key, value in over.items():
        base[key] = base[key] | value if isinstance(value, dict) else value
    settings = Stage1Settings.from_config(base, stored_px=IMAGE_PX, image_px=IMAGE_PX)
    return replace(settings, frozen_blocks=NUM_FROZEN, training=replace(settings.training, precision="no"))


# ----------------------------------------------------------------------------------------------------------------------
# The same weights under both names


def _weights():
    """Every tensor is drawn wide enough to matter."""
    generator = torch.Generator().manual_seed(0)

    def draw(*shape, around=0.0, spread=0.3):
        return around + spread * torch.randn(*shape, generator=generator)

    def linear(name, num_out, num_in):
        return {f"{name}.weight": draw(num_out, num_in, spread=num_in**-0.5), f"{name}.bias": draw(num_out)}

    def norm(name, width=WIDTH):
        return {f"{name}.weight": draw(width, around=1.0), f"{name}.bias": draw(width)}

    weights = {
        "backbone.cls_token": draw(1, 1, WIDTH),
        "backbone.mask_token": draw(1, WIDTH),
        "backbone.pos_embed": draw(1, 1 + GRID**2, WIDTH),
        "backbone.patch_embed.proj.weight": draw(WIDTH, 3, PATCH_PX, PATCH_PX, spread=0.05),
        "backbone.patch_embed.proj.bias": draw(WIDTH),
    }
    for block in (f"backbone.blocks.{number}" for number in range(DEPTH)):
        weights |= norm(f"{block}.norm1") | norm(f"{block}.norm2")
        weights |= linear(f"{block}.attn.qkv", 3 * WIDTH, WIDTH) | linear(f"{block}.attn.proj", WIDTH, WIDTH)
        weights |= linear(f"{block}.mlp.fc1", 4 * WIDTH, WIDTH) | linear(f"{block}.mlp.fc2", WIDTH, 4 * WIDTH)
        weights |= {f"{block}.ls1.gamma": draw(WIDTH, around=0.5), f"{block}.ls2.gamma": draw(WIDTH, around=0.5)}
    weights |= norm("backbone.norm") | norm("head.in_norm") | norm("head.out_norm") | linear("head.cls", 8, WIDTH)
    weights |= linear("head.router.0", ROUTER, WIDTH) | norm("head.router.1", ROUTER)
    weights |= linear("head.router.3", 4, ROUTER)
    for block in (f"head.experts.{expert}.{number}" for expert in range(4) for number in range(3)):
        weights |= norm(f"{block}.norm") | linear(f"{block}.mlp.proj", WIDTH, 2 * WIDTH)
        weights |= linear(f"{block}.mlp.fc1", 2 * WIDTH, WIDTH) | linear(f"{block}.mlp.fc2", 2 * WIDTH, WIDTH)
    return weights


def _names():
    """(plain names, product's names): tensors that are equal once each side is stacked along axis 0."""
    layers = {"attn.proj": "attention.o_proj"} | {name: name for name in ("norm1", "norm2", "mlp.fc1", "mlp.fc2")}
    pairs = [
        (["backbone.cls_token"], ["backbone.embeddings.cls_token"]),
        (["backbone.mask_token"], ["backbone.embeddings.mask_token"]),
        (["backbone.pos_embed"], ["backbone.embeddings.position_embeddings"]),
    ]
    with_bias = [
        (["backbone.patch_embed.proj"], ["backbone.embeddings.patch_embeddings.projection"]),
        (["backbone.norm"], ["backbone.layernorm"]),
        (["head.in_norm"], ["head.norm"]),
        *(([f"head.router.{number}"], [f"head.router.{number}"]) for number in (0, 1, 3)),
        (["head.out_norm"], ["head.classifier.0"]),
        (["head.cls"], ["head.classifier.2"]),
    ]
    for block in range(DEPTH):
        ours, theirs = f"backbone.blocks.{block}", f"backbone.encoder.layer.{block}"
        pairs += [([f"{ours}.ls{i}.gamma"], [f"{theirs}.layer_scale{i}.lambda1"]) for i in (1, 2)]
        with_bias.append(([f"{ours}.attn.qkv"], [f"{theirs}.attention.{part}_proj" for part in "qkv"]))
        with_bias += [([f"{ours}.{name}"], [f"{theirs}.{other}"]) for name, other in layers.items()]
    for expert in range(4):
        for block in range(3):
            ours, theirs = f"head.experts.{expert}.{block}", f"head.experts.{expert}"
            with_bias.append(([f"{ours}.norm"], [f"{theirs}.norms.{block}"]))
            # fc2 is the factor that SiLU acts on.
            both = [f"{ours}.mlp.fc2", f"{ours}.mlp.fc1"]
            with_bias.append((both, [f"{theirs}.feed_forwards.{block}.gate_and_value"]))
            with_bias.append(([f"{ours}.mlp.proj"], [f"{theirs}.feed_forwards.{block}.output"]))
    for kind in ("weight", "bias"):
        pairs += [([f"{a}.{kind}" for a in ours], [f"{b}.{kind}" for b in theirs]) for ours, theirs in with_bias]
    return pairs


def _to_product(tensors):
    return _renamed(tensors, _names())


def _to_plain(tensors):
    return _renamed(tensors, [(ours, theirs) for theirs, ours in _names()])


def _renamed(tensors, pairs):
    renamed = {}
    for sources, targets in pairs:
        if sources[0] in tensors:
            stacked = torch.cat([tensors[name] for name in sources])
            renamed |= dict(zip(targets, stacked.chunk(len(targets)), strict=True))
    return renamed


# ----------------------------------------------------------------------------------------------------------------------
# The product's step


class _Masked(nn.Module):
    """Takes the place of one dropout or drop path."""

    def __init__(self, mask):
        super().__init__()
        self.mask = mask
        self.num_calls = 0

    def forward(self, x):
        self.num_calls += 1
        assert x.shape[-1] == self.mask.shape[-1] or self.mask.shape[-1] == 1, "dropout acts on a tensor without one"
        return x * self.mask


def _mask(head, masks):
    """Exchange every dropout and drop path of the product's head for the mask of its place; returns the new layers."""
    places = {"classifier.1": ("head.dropout", 0.6)}
    for expert in range(4):
        for block, rate in enumerate((0.0, 0.05, 0.1)):
            name, ours = f"experts.{expert}", f"head.experts.{expert}.{block}"
            places[f"{name}.feed_forwards.{block}.dropout"] = (f"{ours}.dropout", 0.6)
            places[f"{name}.drop_paths.{block}"] = (f"{ours}.drop_path", pytest.approx(rate))
    found = {name: module for name, module in head.named_modules() if isinstance(module, nn.Dropout | DropPath)}
    assert found.keys() == places.keys()
    for name, module in found.items():
        place, rate = places[name]
        assert (module.p if isinstance(module, nn.Dropout) else module.probability) == rate, name
        head.set_submodule(name, _Masked(masks[place]))
    return [head.get_submodule(name) for name in places]


def _normalised(images):
    """[B, S, S, 3] RGB in [0, 1] to [B, 3, S, S] with ImageNet's mean and standard deviation taken out."""
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return ((images - mean) / std).permute(0, 3, 1, 2)


def _batch(masks):
    """The product's batch, and the plain one with the share and the partners that the product draws in the epoch."""
    generator = torch.Generator().manual_seed(1)
    images = torch.randint(256, (4, IMAGE_PX, IMAGE_PX, 3), generator=generator, dtype=torch.uint8)
    rng = np.random.default_rng([_settings().training.seed, EPOCH])
    share, partner = rng.beta(0.2, 0.2), torch.from_numpy(rng.permutation(4))
    assert 0.1 < share < 0.9 and partner.tolist() != [0, 1, 2, 3]
    return (images, BATCH_LABELS), plain.Batch(_normalised(images / 255), BATCH_LABELS, partner, share, masks)


def _product(settings, weights):
    """The product's model with these weights, and its optimizer."""
    architecture = {
        "model_type": "dinov2",
        "hidden_size": WIDTH,
        "num_hidden_layers": DEPTH,
        "num_attention_heads": NUM_HEADS,
        "image_size": GRID * PATCH_PX,
        "patch_size": PATCH_PX,
    }
    backbone = random_encoder(architecture, seed=0)
    freeze(backbone, embeddings=settings.frozen_embeddings, num_blocks=settings.frozen_blocks)
    model = Classifier(backbone=backbone, head=make_head(settings.head, WIDTH, 8, moe=settings.moe))
    model.load_state_dict(_to_product(weights), strict=True)
    return model, training._optimizer(model, settings.training, fused=False)


def _schedule(settings, optimizer, steps_per_epoch):
    num_steps = steps_per_epoch * settings.training.epochs
    return warmup_then_cosine(optimizer, num_steps=num_steps, num_warmup_steps=0, min_lr=settings.training.min_lr)


def _product_step(weights, stored, masks):
    """The product's only step of an epoch, as the plain one; without masks, nothing is dropped."""
    settings = _settings()
    if not masks:
        settings = replace(settings, moe=replace(settings.moe, dropout=0.0, max_drop_path=0.0))
    model, optimizer = _product(settings, weights)
    masked = _mask(model.head, masks) if masks else []
    accelerator = training._accelerator("cpu", settings.training.precision)
    schedule = _schedule(settings, optimizer, 1)
    of_class = training._class_weights(SimpleNamespace(labels=LABELS))
    inputs = training._inputs_of_epoch([stored], _without_augmentation, settings.training, EPOCH, 0, torch.Generator())
    wrapped, optimizer = accelerator.prepare(model, optimizer)

    clip, before_clip, norms = accelerator.clip_grad_norm_, {}, []

    def spied_clip(parameters, max_norm):
        before_clip.update({name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None})
        norms.append(clip(parameters, max_norm))
        return norms[-1]

    accelerator.clip_grad_norm_ = spied_clip
    loss = training._train_epoch(
        accelerator, wrapped, optimizer, schedule, inputs, of_class, settings.training.max_grad_norm
    )
    assert all(layer.num_calls == 1 for layer in masked)
    (norm,) = norms
    return plain.Step(torch.tensor(loss), _to_plain(before_clip), norm, _to_plain(model.state_dict()))


def _without_augmentation(images, generator):
    return _normalised(images.permute(0, 2, 3, 1))


# ----------------------------------------------------------------------------------------------------------------------
# Tests


@cache
def _both(is_masked):
    """The plain step and the product's, from the same weights and batch; with masks, both drop the same."""
    masks = plain.draw_masks(4, WIDTH, torch.Generator().manual_seed(2)) if is_masked else {}
    weights = _weights()
    stored, batch = _batch(masks)
    of_class = plain.class_weights(torch.from_numpy(LABELS))
    (expected,) = plain.train(weights, [batch], of_class, METHOD)
    return expected, _product_step(weights, stored, masks)


both = pytest.mark.parametrize("is_masked", [False, True], ids=["nothing dropped", "dropout and drop path"])


@both
def test_loss(is_masked):
    expected, found = _both(is_masked)
    assert found.loss.item() == pytest.approx(expected.loss.item(), abs=1e-6)


@both
def test_every_gradient(is_masked):
    expected, found = _both(is_masked)
    assert found.gradients.keys() == expected.gradients.keys()
    assert _further_apart(found.gradients, expected.gradients, 1e-5, relative=True) == []


def test_frozen_and_unused_weights_have_no_gradient():
    _, found = _both(False)
    without = _weights().keys() - found.gradients.keys()
    frozen = ("backbone.patch_embed.", "backbone.blocks.0.", "backbone.blocks.1.", "backbone.mask_token")
    assert without == {name for name in _weights() if name.startswith(frozen)}
    assert all(torch.equal(found.weights[name], _weights()[name]) for name in without)


@both
def test_norm_of_the_clip_over_backbone_and_head(is_masked):
    expected, found = _both(is_masked)
    assert expected.norm > 2  # the clip acts
    assert found.norm.item() == pytest.approx(expected.norm.item(), rel=1e-5)


@both
def test_every_weight_after_the_step(is_masked):
    expected, found = _both(is_masked)
    # AdamW's first step is nearly the gradient's sign, so rounding decides it where a gradient is nearly 0. So first
    # from the product's own gradients for every element, then from the plain gradients wherever they are larger.
    from_its_gradients = plain.AdamW().step(_weights(), found.gradients, METHOD)
    assert found.weights.keys() == expected.weights.keys()
    assert _further_apart(found.weights, from_its_gradients, 1e-6) == []
    clear = {name: gradient.abs() > 1e-6 * expected.norm for name, gradient in expected.gradients.items()}
    assert sum(mask.sum() for mask in clear.values()) > 0.99 * sum(mask.numel() for mask in clear.values())
    from_plain_gradients, its_own = ({n: step.weights[n][clear[n]] for n in clear} for step in (expected, found))
    assert _further_apart(its_own, from_plain_gradients, 1e-6) == []


def _further_apart(found, expected, tolerance, *, relative=False):
    """Names of the tensors further apart than the tolerance, which may be relative to the tensor's largest value."""
    return [
        name
        for name, tensor in expected.items()
        if (found[name] - tensor).abs().max() > tolerance * (tensor.abs().max() if relative else 1.0)
    ]


def test_rate_and_decay_of_every_weight_in_every_epoch():
    settings, weights = _settings(), _weights()
    model, optimizer = _product(settings, weights)
    names = {id(p): name for name, p in model.named_parameters()}
    schedule = _schedule(settings, optimizer, 1)
    for epoch in range(12):
        found = {}
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                values = torch.tensor([[group["lr"], group["weight_decay"]]], dtype=torch.float64)
                found[names[id(parameter)]] = values.expand(len(parameter), 2)
        expected = {
            name: torch.tensor(
                [plain.rate_of(name, DEPTH, METHOD, epoch), plain.decay_of(name, weight, METHOD)], dtype=torch.float64
            ).expand(len(weight), 2)
            for name, weight in weights.items()
            if not plain.is_frozen(name, METHOD)
        }
        found = _to_plain(found)
        assert found.keys() == expected.keys()
        assert _further_apart(found, expected, 1e-12) == [], epoch
        optimizer.step()
        schedule.step()
