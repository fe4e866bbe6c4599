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


def test_learning_rate_and_decay_of_every_parameter(backbone):
    head = nn.Linear(8, 8)
    for name, (lr, decay) in _by_name(backbone, head, _groups(backbone, head)).items():
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


def test_frozen_parameters_are_left_out(backbone):
    freeze(backbone, embeddings=True, num_blocks=2)
    head = nn.Linear(8, 8)
    found = _by_name(backbone, head, _groups(backbone, head))
    trained = {name for name, settings in found.items() if settings is not None}
    assert not any(name.startswith(("embeddings.", "encoder.layer.0.", "encoder.layer.1.")) for name in trained)
    assert {name for name in found if name.startswith(("encoder.layer.2.", "layernorm.", "head."))} == trained
