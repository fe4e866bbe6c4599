"""Two training steps of Stage I, as the product runs them with the authors' settings, against plain_stage1.py.

A DINOv2 with the structure of ViT-S/14, made small, in float32 on a CPU. The product takes its steps in `_train_epoch`,
with its own inputs, optimizer, schedule and accelerator; only decoding and augmentation are left out.
"""

from dataclasses import dataclass, replace
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
BATCH_LABELS = torch.tensor([[4, 0, 7, 3], [1, 5, 2, 6]])
# transformers resizes positions with the exact scale, DINOv2 with one that is 0.1 patches too large.
METHOD = plain.Method(num_heads=NUM_HEADS, num_frozen_blocks=NUM_FROZEN, position_offset=0.0)


@pytest.fixture(autouse=True)
def _one_thread():
    """The tensors are too small to be shared among threads, which would wait for each other."""
    usual = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(usual)


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


def _batches(masks):
    """The product's batches, and the plain ones with the shares and partners that the product draws."""
    generator = torch.Generator().manual_seed(1)
    rng = np.random.default_rng([_settings().training.seed, EPOCH])
    stored, batches = [], []
    for labels in BATCH_LABELS:
        images = torch.randint(256, (4, IMAGE_PX, IMAGE_PX, 3), generator=generator, dtype=torch.uint8)
        share, partner = rng.beta(0.2, 0.2), torch.from_numpy(rng.permutation(4))
        stored.append((images, labels))
        batches.append(plain.Batch(_normalised(images / 255), labels, partner, share, masks))
    assert 0.1 < batches[0].share < 0.9 and all(batch.partner.tolist() != [0, 1, 2, 3] for batch in batches)
    return stored, batches


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


@dataclass(frozen=True)
class _Step:
    """Gradients before the clip, what the clip says that their norm is, and the weights after the step."""

    gradients: dict
    norm: float
    weights: dict


def _product_steps(stored, masks):
    """The product's loss of an epoch of these batches, and its steps; without masks, nothing is dropped."""
    settings = _settings()
    if not masks:
        settings = replace(settings, moe=replace(settings.moe, dropout=0.0, max_drop_path=0.0))
    model, optimizer = _product(settings, _weights())
    masked = _mask(model.head, masks) if masks else []
    accelerator = training._accelerator("cpu", settings.training.precision)
    # The product lowers the rates with every step, the authors' code with every epoch: the epoch is so long that the
    # first two steps have the same rates.
    schedule = _schedule(settings, optimizer, 10**6)
    of_class = training._class_weights(SimpleNamespace(labels=LABELS))
    inputs = training._inputs_of_epoch(stored, _without_augmentation, settings.training, EPOCH, 0, torch.Generator())

    before_clip, norms, after = [], [], []
    clip = accelerator.clip_grad_norm_

    def spied_clip(parameters, max_norm):
        named = model.named_parameters()
        before_clip.append(_to_plain({name: p.grad.clone() for name, p in named if p.grad is not None}))
        norms.append(clip(parameters, max_norm).item())

    accelerator.clip_grad_norm_ = spied_clip
    optimizer.register_step_post_hook(
        lambda *_: after.append(_to_plain({name: tensor.clone() for name, tensor in model.state_dict().items()}))
    )
    wrapped, optimizer = accelerator.prepare(model, optimizer)
    loss = training._train_epoch(
        accelerator, wrapped, optimizer, schedule, inputs, of_class, settings.training.max_grad_norm
    )
    assert all(layer.num_calls == len(stored) for layer in masked)
    return loss, [_Step(*step) for step in zip(before_clip, norms, after, strict=True)]


def _without_augmentation(images, generator):
    return _normalised(images.permute(0, 2, 3, 1))


# ----------------------------------------------------------------------------------------------------------------------
# Tests


@cache
def _both(is_masked):
    """(plain losses and gradients of each step, from the product's weights before it; the product's loss and steps).

    With masks, both drop the same.
    """
    masks = plain.draw_masks(4, WIDTH, torch.Generator().manual_seed(2)) if is_masked else {}
    stored, batches = _batches(masks)
    loss, steps = _product_steps(stored, masks)
    of_class = plain.class_weights(torch.from_numpy(LABELS))
    before = [_weights(), *(step.weights for step in steps)]
    expected = [plain.gradients_of(*pair, of_class, METHOD) for pair in zip(before, batches, strict=False)]
    return expected, loss, steps


both = pytest.mark.parametrize("is_masked", [False, True], ids=["nothing dropped", "dropout and drop path"])


@both
def test_loss(is_masked):
    expected, loss, _ = _both(is_masked)
    assert loss == pytest.approx(sum(loss.item() for loss, _ in expected) / 2, abs=1e-5)


@both
def test_every_gradient(is_masked):
    expected, _, steps = _both(is_masked)
    for (_, gradients), step in zip(expected, steps, strict=True):
        assert step.gradients.keys() == gradients.keys()
        assert _further_apart(step.gradients, gradients, 1e-5, relative=True) == []


@both
def test_norm_of_the_clip_over_backbone_and_head(is_masked):
    expected, _, steps = _both(is_masked)
    for (_, gradients), step in zip(expected, steps, strict=True):
        assert step.norm > 2  # the clip acts
        assert step.norm == pytest.approx(plain.norm_of(gradients).item(), rel=1e-5)


@both
def test_every_weight_after_each_step(is_masked):
    expected, _, steps = _both(is_masked)
    optimizer, weights = plain.AdamW(), _weights()
    for step in steps:
        weights = optimizer.step(weights, step.gradients, METHOD)
        assert step.weights.keys() == weights.keys()
        assert _further_apart(step.weights, weights, 1e-7) == []
    # From the plain gradients too, where they are 10 times AdamW's epsilon after the clip: AdamW's first step is nearly
    # a gradient's sign, so rounding decides it where a gradient is nearly 0.
    _, gradients = expected[0]
    weights = plain.AdamW().step(_weights(), gradients, METHOD)
    clear = {name: gradient.abs() > 1e-7 * plain.norm_of(gradients) for name, gradient in gradients.items()}
    found, wanted = ({name: side[name][clear[name]] for name in clear} for side in (steps[0].weights, weights))
    assert _further_apart(found, wanted, 1e-6) == []


def test_frozen_and_unused_weights_stay():
    _, _, steps = _both(False)
    before = _weights()
    still = {name for name, weight in before.items() if torch.equal(steps[-1].weights[name], weight)}
    frozen = ("backbone.patch_embed.", "backbone.blocks.0.", "backbone.blocks.1.", "backbone.mask_token")
    assert still == {name for name in before if name.startswith(frozen)}


def _further_apart(found, expected, tolerance, *, relative=False):
    """Names of the tensors further apart than the tolerance, which may be relative to the tensor's largest value."""
    return [
        name
        for name, tensor in expected.items()
        if not (found[name] - tensor).abs().max() <= tolerance * (tensor.abs().max() if relative else 1.0)
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
