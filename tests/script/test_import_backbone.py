import logging

import pytest
import torch
from safetensors.torch import save_file

from tests.original_weights import IMAGE_PX, dinov2_cls, dinov2_state
from workflow_scripts.import_backbone import run
from workflow_scripts.lib.artifacts import sha256_of
from workflow_scripts.lib.encoders.loading import load_encoder
from workflow_scripts.lib.errors import InputError


def test_a_training_checkpoint_becomes_a_backbone(tmp_path, caplog):
    state = dinov2_state(num_features=64, num_layers=2)
    network = {f"backbone.{name}": tensor for name, tensor in state.items()} | {"head.cls.weight": torch.zeros(8, 64)}
    torch.save({"model": network, "epoch": 7}, tmp_path / "best.pt")
    save_file(state, tmp_path / "weights_only.safetensors")
    with caplog.at_level(logging.INFO):
        run(given=tmp_path / "best.pt", backbone=tmp_path / "one")
    assert "left out 1 tensors of the training head, which nothing uses: head.cls.weight" in caplog.text
    run(given=tmp_path / "weights_only.safetensors", backbone=tmp_path / "two")
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == ["config.json", "model.safetensors"]
    for name in ("config.json", "model.safetensors"):
        assert sha256_of(tmp_path / "one" / name) == sha256_of(tmp_path / "two" / name)
    images = torch.randn(2, 3, IMAGE_PX, IMAGE_PX, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        found = load_encoder(tmp_path / "one")(pixel_values=images).last_hidden_state[:, 0]
    assert torch.allclose(found, dinov2_cls(state, images), atol=1e-4)


def test_other_weights_leave_nothing_behind(tmp_path):
    torch.save({"layer.weight": torch.zeros(1)}, tmp_path / "other.pt")
    with pytest.raises(InputError, match=r"other\.pt lacks patch_embed\.proj\.weight"):
        run(given=tmp_path / "other.pt", backbone=tmp_path / "backbone")
    assert not (tmp_path / "backbone").exists()
