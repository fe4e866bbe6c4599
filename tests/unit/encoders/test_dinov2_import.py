import re

import pytest
import torch
import torch.nn.functional as F

from frame_expressions.encoders.dinov2_import import backbone_weights, dinov2_from_original
from frame_expressions.encoders.loading import load_encoder, save_encoder
from frame_expressions.runtime.errors import InputError
from tests.original_weights import GRID, IMAGE_PX, PATCH_PX, dinov2_cls, dinov2_state


def _images(side=IMAGE_PX):
    return torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(1))


@torch.inference_mode()
def _cls(model, images):
    return model(pixel_values=images).last_hidden_state[:, 0]


@pytest.mark.parametrize("is_swiglu", [False, True])
def test_the_converted_backbone_gives_the_original_names_outputs(tmp_path, is_swiglu):
    state = dinov2_state(is_swiglu=is_swiglu)
    model = dinov2_from_original(state, "weights.pth")
    config = model.config
    assert (config.hidden_size, config.num_hidden_layers, config.num_attention_heads) == (128, 3, 2)
    assert (config.patch_size, config.image_size, config.mlp_ratio) == (PATCH_PX, IMAGE_PX, 4)
    assert config.use_swiglu_ffn == is_swiglu
    expected = dinov2_cls(state, _images())
    assert torch.allclose(_cls(model, _images()), expected, atol=1e-4)
    save_encoder(model, tmp_path)
    assert torch.allclose(_cls(load_encoder(tmp_path), _images()), expected, atol=1e-4)


@pytest.mark.parametrize("is_swiglu", [False, True])
def test_every_tensor_reaches_the_output(is_swiglu):
    state = dinov2_state(num_features=64, num_layers=2, is_swiglu=is_swiglu)
    plain = _cls(dinov2_from_original(state, "weights.pth"), _images())
    generator = torch.Generator().manual_seed(2)
    for name in state.keys() - {"mask_token"}:  # used in pre-training only
        changed = state | {name: state[name] + torch.randn(state[name].shape, generator=generator)}
        found = _cls(dinov2_from_original(changed, "weights.pth"), _images())
        assert not torch.allclose(found, plain, atol=1e-3), name
        assert torch.allclose(found, dinov2_cls(changed, _images()), atol=1e-4), name


def test_half_precision_is_widened():
    state = {name: tensor.half() for name, tensor in dinov2_state(num_features=64, num_layers=1).items()}
    model = dinov2_from_original(state, "weights.pth")
    assert model.dtype == torch.float32 and not model.training
    widened = {name: tensor.float() for name, tensor in state.items()}
    assert torch.allclose(_cls(model, _images()), dinov2_cls(widened, _images()), atol=1e-4)


def test_other_image_sizes_use_resized_positions():
    state = dinov2_state(num_features=64, num_layers=2, grid=7)
    model = dinov2_from_original(state, "weights.pth")
    assert model.config.image_size == 7 * PATCH_PX
    grid = state["pos_embed"][:, 1:].transpose(1, 2).unflatten(2, (7, 7))
    resized = F.interpolate(grid, size=(GRID, GRID), mode="bicubic").flatten(2).transpose(1, 2)
    positions = torch.cat([state["pos_embed"][:, :1], resized], dim=1)
    assert torch.allclose(_cls(model, _images()), dinov2_cls(state, _images(), positions), atol=1e-4)


def test_blocks_in_chunks_are_the_same_blocks():
    state = dinov2_state()
    chunked = {
        re.sub(r"^blocks\.(\d+)", lambda block: f"blocks.{int(block[1]) // 2}.{block[1]}", name): tensor
        for name, tensor in state.items()
    }
    assert "blocks.1.2.norm1.weight" in chunked
    found = dinov2_from_original(chunked, "weights.pth").state_dict()
    assert all(torch.equal(found[name], kept) for name, kept in dinov2_from_original(state, "x").state_dict().items())
    twice = chunked | {"blocks.0.2.norm1.weight": torch.ones(128)}
    with pytest.raises(InputError, match=r"^weights\.pth holds a block twice"):
        dinov2_from_original(twice, "weights.pth")


def _refused(state, sentence):
    with pytest.raises(InputError, match=sentence):
        backbone, _ = backbone_weights(state, "weights.pth")
        dinov2_from_original(backbone, "weights.pth")


@pytest.mark.parametrize("is_swiglu", [False, True])
def test_every_missing_unknown_or_misshapen_tensor_is_named(is_swiglu):
    state = dinov2_state(num_features=64, num_layers=2, is_swiglu=is_swiglu)
    for name, tensor in state.items():
        rest = {other: kept for other, kept in state.items() if other != name}
        _refused(rest, rf"^weights\.pth lacks {re.escape(name)};")
        _refused(rest | {f"{name}_": tensor}, rf"^weights\.pth lacks {re.escape(name)};")
        _refused(state | {f"{name}_": tensor}, rf"^weights\.pth holds {re.escape(name)}_, which")
        longer = torch.cat([tensor, tensor[:1]])
        _refused(state | {name: longer}, rf"^weights\.pth: {re.escape(name)} has the shape {re.escape(_shape(longer))}")
        broken = tensor.clone()
        broken.view(-1)[-1] = float("nan")
        _refused(state | {name: broken}, rf"^weights\.pth: {re.escape(name)} has values that are not finite")


def _shape(tensor):
    return str(tuple(tensor.shape))


def test_shapes_that_fit_no_network_are_refused():
    state = dinov2_state(num_features=64, num_layers=1)
    patches = state["patch_embed.proj.weight"]
    for shape in ((64, 48), (0, 3, 4, 4), (64, 3, 0, 0), (65, 3, 4, 4), (64, 1, 4, 4), (64, 3, 4, 2)):
        _refused(state | {"patch_embed.proj.weight": patches.new_zeros(shape)}, r"patch_embed\.proj\.weight has the")
    for shape in ((1, 9, 64), (1, 1, 64), (1, 0, 64), (10, 64)):
        _refused(state | {"pos_embed": patches.new_zeros(shape)}, r"pos_embed has the shape")
    wide = {"blocks.0.mlp.fc1.weight": torch.zeros(200, 64), "blocks.0.mlp.fc1.bias": torch.zeros(200)}
    _refused(state | wide | {"blocks.0.mlp.fc2.weight": torch.zeros(64, 200)}, r"blocks\.0\.mlp\.fc1\.weight has the")
    _refused({**state, "register_tokens": torch.zeros(1, 4, 64)}, r"^weights\.pth is a DINOv2 with register_tokens")


@pytest.mark.parametrize("prefix", ["module.", "backbone.", "module.backbone."])
def test_the_prefixes_of_training_code_are_taken_off(prefix):
    state = dinov2_state(num_features=64, num_layers=1)
    prefixed = {f"{prefix}{name}": tensor for name, tensor in state.items()}
    backbone, heads = backbone_weights(prefixed, "weights.pth")
    assert backbone == state and heads == {}
    _refused(prefixed | {"cls_token": state["cls_token"]}, r"holds cls_token, which")
    _refused(prefixed | {f"{prefix}head.weight": torch.zeros(1)}, r"holds head\.weight, which")


def test_a_training_head_beside_the_backbone_is_left_out_and_told():
    state = dinov2_state(num_features=64, num_layers=1)
    for outer in ("", "module."):
        prefixed = {f"{outer}backbone.{name}": tensor for name, tensor in state.items()}
        head = {f"{outer}head.router.0.weight": torch.zeros(1), f"{outer}dino_head.last_layer.bias": torch.zeros(1)}
        backbone, heads = backbone_weights(prefixed | head, "weights.pth")
        assert backbone == state and heads == head
        _refused(prefixed | {f"{outer}neck.weight": torch.zeros(1)}, rf"holds {outer}neck\.weight, which")
    _refused(state | {"head.weight": torch.zeros(1)}, r"holds head\.weight, which")


def test_other_names_are_refused_with_the_remedy():
    state = dinov2_state(num_features=64, num_layers=1)
    pair = {f"{part}.backbone.{name}": tensor for part in ("student", "teacher") for name, tensor in state.items()}
    _refused(pair, r"holds backbones under 'student\.backbone\.', 'teacher\.backbone\.'")
    _refused({f"visual.{name}": tensor for name, tensor in state.items()}, r"holds backbones under 'visual\.'")
    renamed = dinov2_from_original(state, "x").state_dict()
    _refused(renamed, r"lacks patch_embed\.proj\.weight; .* encoders\.visual\.path")
