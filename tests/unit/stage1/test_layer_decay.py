import pytest
import torch
from torch import nn

from frame_expressions.encoders.loading import random_encoder
from frame_expressions.runtime.errors import InputError
from frame_expressions.stage1.heads import make_head
from frame_expressions.stage1.layer_decay import freeze, parameter_groups
from frame_expressions.stage1.moe import MoESettings

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


def _rounded(settings):
    """Rates to ten digits, so that products of another order are equal."""
    return {name: pair and (float(f"{pair[0]:.10g}"), pair[1]) for name, pair in settings.items()}


def _groups(backbone, head):
    return parameter_groups(backbone, head, backbone_lr=1e-5, head_lr=3e-4, layer_decay=0.85, weight_decay=0.05)


# Parameters of a block of transformers' DINOv2: those with weight decay, and those without.
MATRICES = [
    *(f"attention.{part}_proj.weight" for part in "qkvo"),
    "mlp.fc1.weight",
    "mlp.fc2.weight",
]
VECTORS = [
    *(name.replace(".weight", ".bias") for name in MATRICES),
    *(f"{norm}.{part}" for norm in ("norm1", "norm2") for part in ("weight", "bias")),
    "layer_scale1.lambda1",
    "layer_scale2.lambda1",
]


def test_rate_and_decay_of_every_parameter_are_those_of_the_method():
    backbone = random_encoder(ARCHITECTURE | {"num_hidden_layers": 24}, seed=0)
    head = make_head(
        "moe",
        8,
        8,
        moe=MoESettings(
            num_experts=4,
            depth=3,
            router_features=4,
            expansion=2.0,
            dropout=0.6,
            max_drop_path=0.1,
            top_k=None,
            balance_weight=0.0,
        ),
    )
    freeze(backbone, embeddings="patches", num_blocks=8)
    expected = dict.fromkeys([f"embeddings.patch_embeddings.projection.{part}" for part in ("weight", "bias")])
    expected |= {f"encoder.layer.{i}.{name}": None for i in range(8) for name in MATRICES + VECTORS}
    for i in range(8, 24):
        expected |= {f"encoder.layer.{i}.{name}": (1e-5 * 0.85 ** (23 - i), 0.05) for name in MATRICES}
        expected |= {f"encoder.layer.{i}.{name}": (1e-5 * 0.85 ** (23 - i), 0.0) for name in VECTORS}
    expected |= {f"embeddings.{name}": (1e-5, 0.05) for name in ("cls_token", "mask_token", "position_embeddings")}
    expected |= {f"layernorm.{part}": (1e-5, 0.0) for part in ("weight", "bias")}
    linear = ["router.0", "router.3", "classifier.2"]
    norms = ["norm", "router.1", "classifier.0"]
    for expert in range(4):
        norms += [f"experts.{expert}.norms.{block}" for block in range(3)]
        linear += [
            f"experts.{expert}.feed_forwards.{block}.{layer}"
            for block in range(3)
            for layer in ("gate_and_value", "output")
        ]
    expected |= {f"head.{name}.weight": (3e-4, 0.05) for name in linear}
    expected |= {f"head.{name}.bias": (3e-4, 0.0) for name in linear}
    expected |= {f"head.{name}.{part}": (3e-4, 0.0) for name in norms for part in ("weight", "bias")}
    assert _rounded(_by_name(backbone, head, _groups(backbone, head))) == _rounded(expected)
    # As the method's description gives them.
    assert expected["encoder.layer.23.mlp.fc1.weight"] == (1e-5, 0.05)
    assert expected["encoder.layer.8.mlp.fc1.weight"][0] == pytest.approx(8.7e-7, abs=5e-9)


@pytest.mark.parametrize(
    ("embeddings", "num_blocks", "frozen"),
    [
        ("none", 0, ()),
        ("patches", 2, ("embeddings.patch_embeddings.", "encoder.layer.0.", "encoder.layer.1.")),
        ("all", 1, ("embeddings.", "encoder.layer.0.")),
        ("all", 3, ("embeddings.", "encoder.layer.")),
    ],
)
def test_frozen_parameters_are_in_no_group_and_trained_patches_learn_the_slowest(
    backbone, embeddings, num_blocks, frozen
):
    freeze(backbone, embeddings=embeddings, num_blocks=num_blocks)
    found = _by_name(backbone, nn.Identity(), _groups(backbone, nn.Identity()))
    assert {name for name, settings in found.items() if settings is None} == {
        name for name in found if name.startswith(frozen)
    }
    if embeddings == "none":
        slowest = pytest.approx(1e-5 * 0.85**3, rel=1e-12)
        assert found["embeddings.patch_embeddings.projection.weight"] == (slowest, 0.05)
        assert found["embeddings.patch_embeddings.projection.bias"] == (slowest, 0.0)


def test_no_decay_goes_by_the_name_as_well_as_by_the_shape(backbone):
    names = ["classifier.bias", "in_norm", "norm1.weight", "ln.weight", "ln_2.weight", "kiln.weight", "biased"]
    shapes = dict.fromkeys(names, (2, 2)) | {"scale": (2,)}
    head = nn.Module()
    for name, shape in shapes.items():
        *modules, last = name.split(".")
        holder = head
        for module in modules:
            holder.add_module(module, nn.Module())
            holder = getattr(holder, module)
        holder.register_parameter(last, nn.Parameter(torch.zeros(shape)))
    found = _by_name(backbone, head, _groups(backbone, head))
    decayed = {name for name in shapes if found[f"head.{name}"][1] == 0.05}
    assert decayed == {"kiln.weight", "biased"}


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


# Beginning of the blocks' names, names of the tokens and positions, and of the projection of patches.
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
        at_patches = name.startswith(f"embeddings.{patches}.")
        assert lr == pytest.approx(1e-5 * 0.85**3 if at_patches else 1e-5, rel=1e-12), name
        vector = name.endswith((".bias", "class_embedding"))  # CLIP's class token has one dimension
        assert decay == (0.0 if vector else 0.05), name
    inside = {name: int(name.removeprefix(f"{blocks}.").split(".")[0]) for name in settings if name.startswith(blocks)}
    assert set(inside.values()) == {0, 1, 2}
    for name, block in inside.items():
        assert settings[name][0] == pytest.approx(1e-5 * 0.85 ** (2 - block), rel=1e-12), name

    freeze(backbone, embeddings="patches", num_blocks=2)
    frozen = {name for name, parameter in backbone.named_parameters() if not parameter.requires_grad}
    at_input = {name for name in embeddings if name.startswith(f"embeddings.{patches}.")}
    assert frozen == at_input | {name for name, block in inside.items() if block < 2}


def test_a_norm_before_the_blocks_learns_as_slowly_as_patches():
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
