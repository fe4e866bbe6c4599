import pytest
from torch import nn

from workflow_scripts.lib.encoders.loading import random_encoder
from workflow_scripts.lib.stage1.layer_decay import freeze, parameter_groups

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
