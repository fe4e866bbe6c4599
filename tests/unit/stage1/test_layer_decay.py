import pytest
from torch import nn

from frame_expressions.encoders.loading import random_encoder
from frame_expressions.runtime.errors import InputError
from frame_expressions.stage1.layer_decay import freeze, parameter_groups

ARCHITECTURE = {
    "model_type": "dinov2",
    "hidden_size": 8,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "image_size": 28,
    "patch_size": 14,
}


@pytest.fixture
def backbone():
    return random_encoder(ARCHITECTURE, seed=0)


def _by_name(backbone, head, groups):
    settings = {
        id(parameter): (group["lr"], group["weight_decay"]) for group in groups for parameter in group["params"]
    }
    named = [*backbone.named_parameters(), *((f"head.{name}", value) for name, value in head.named_parameters())]
    return {name: settings.get(id(parameter)) for name, parameter in named}


def _groups(backbone, head):
    return parameter_groups(backbone, head, backbone_lr=1e-5, head_lr=3e-4, layer_decay=0.85, weight_decay=0.05)


@pytest.mark.parametrize(
    ("embeddings", "num_blocks", "frozen"),
    [
        ("none", 0, ()),
        ("patches", 2, ("embeddings.patch_embeddings.", "encoder.layer.0.", "encoder.layer.1.")),
        ("all", 1, ("embeddings.", "encoder.layer.0.")),
        ("all", 3, ("embeddings.", "encoder.layer.")),
    ],
)
def test_learning_rate_and_decay_of_every_parameter(backbone, embeddings, num_blocks, frozen):
    freeze(backbone, embeddings=embeddings, num_blocks=num_blocks)
    head = nn.Linear(8, 8)
    for name, settings in _by_name(backbone, head, _groups(backbone, head)).items():
        assert (settings is None) == name.startswith(frozen), name
        if settings is None:
            continue
        lr, decay = settings
        if name.startswith("head."):
            expected = 3e-4
        elif name.startswith("embeddings."):
            expected = 1e-5 * 0.85**3
        elif name.startswith("encoder.layer."):
            expected = 1e-5 * 0.85 ** (2 - int(name.split(".")[2]))
        else:
            expected = 1e-5
        assert lr == pytest.approx(expected, rel=1e-12), name
        vector = name.endswith((".bias", "lambda1")) or "norm" in name
        token = name.endswith(("cls_token", "mask_token", "position_embeddings"))
        assert decay == (0.0 if vector or token else 0.05), name


def test_the_method_freezes_the_patch_projection_and_the_first_blocks(backbone):
    freeze(backbone, embeddings="patches", num_blocks=2)
    trained = {name for name, parameter in backbone.named_parameters() if parameter.requires_grad}
    assert {name for name in trained if not name.startswith("encoder.layer.2.")} == {
        "embeddings.cls_token",
        "embeddings.mask_token",
        "embeddings.position_embeddings",
        "layernorm.weight",
        "layernorm.bias",
    }


# Beginning of the blocks' names, names at the input that are not decayed, and their projection of patches.
FAMILIES = {
    "dinov2": ("encoder.layer", ["cls_token", "mask_token", "position_embeddings"], "patch_embeddings.projection"),
    "dinov2_with_registers": (
        "encoder.layer",
        ["cls_token", "mask_token", "position_embeddings", "register_tokens"],
        "patch_embeddings.projection",
    ),
    "vit": ("layers", ["cls_token", "position_embeddings"], "patch_embeddings.projection"),
    "deit": ("layers", ["cls_token", "distillation_token", "position_embeddings"], "patch_embeddings.projection"),
    "beit": ("layers", ["cls_token"], "patch_embeddings.projection"),
    "dinov3_vit": ("model.layer", ["cls_token", "mask_token", "register_tokens"], "patch_embeddings"),
    "clip_vision_model": ("encoder.layers", ["class_embedding", "position_embedding.weight"], "patch_embedding"),
    "siglip_vision_model": ("encoder.layers", ["position_embedding.weight"], "patch_embedding"),
}


@pytest.mark.parametrize(("model_type", "names"), FAMILIES.items())
def test_other_families_name_their_blocks_and_embeddings_otherwise(model_type, names):
    blocks, tokens, patches = names
    backbone = random_encoder(ARCHITECTURE | {"model_type": model_type, "intermediate_size": 16}, seed=0)
    settings = _by_name(backbone, nn.Identity(), _groups(backbone, nn.Identity()))
    embeddings = {name for name in settings if name.startswith("embeddings.")}
    assert embeddings >= {f"embeddings.{name}" for name in [*tokens, f"{patches}.weight"]}
    for name in embeddings:
        lr, decay = settings[name]
        assert lr == pytest.approx(1e-5 * 0.85**3, rel=1e-12), name
        assert decay == (0.05 if name == f"embeddings.{patches}.weight" else 0.0), name
    inside = {name: int(name.removeprefix(f"{blocks}.").split(".")[0]) for name in settings if name.startswith(blocks)}
    assert set(inside.values()) == {0, 1, 2}
    for name, block in inside.items():
        assert settings[name][0] == pytest.approx(1e-5 * 0.85 ** (2 - block), rel=1e-12), name

    freeze(backbone, embeddings="patches", num_blocks=2)
    frozen = {name for name, parameter in backbone.named_parameters() if not parameter.requires_grad}
    at_input = {name for name in embeddings if name.startswith(f"embeddings.{patches}.")}
    assert frozen == at_input | {name for name, block in inside.items() if block < 2}


def test_what_follows_the_embeddings_learns_as_slowly():
    backbone = random_encoder(ARCHITECTURE | {"model_type": "clip_vision_model", "intermediate_size": 16}, seed=0)
    settings = _by_name(backbone, nn.Identity(), _groups(backbone, nn.Identity()))
    assert settings["pre_layrnorm.weight"] == (pytest.approx(1e-5 * 0.85**3, rel=1e-12), 0.0)
    assert settings["post_layernorm.weight"] == (1e-5, 0.0)


def test_layers_inside_a_block_are_not_its_number():
    inner = nn.ModuleDict({"layers": nn.ModuleList([nn.Linear(2, 2) for _ in range(5)])})
    backbone = nn.ModuleDict({"layers": nn.ModuleList([inner])})
    freeze(backbone, embeddings="none", num_blocks=1)
    assert not any(parameter.requires_grad for parameter in backbone.parameters())


def test_a_network_of_stages_is_refused_with_the_remedy():
    backbone = random_encoder({"model_type": "resnet", "hidden_sizes": [8], "depths": [1], "embedding_size": 4}, seed=0)
    sentence = r"^ResNetModel has no blocks under a name that Stage I knows \(.*\); choose .* encoders\.visual"
    with pytest.raises(InputError, match=sentence):
        freeze(backbone, embeddings="none", num_blocks=1)
    with pytest.raises(InputError, match=sentence):
        _groups(backbone, nn.Identity())
