import logging

import pytest
import torch
from safetensors.torch import save_file

from frame_expressions.artifacts.provenance import sha256_of
from frame_expressions.encoders.loading import load_encoder
from frame_expressions.runtime.errors import InputError
from tests.original_weights import GRID, IMAGE_PX, PATCH_PX, dinov2_cls, dinov2_state, resized_positions
from workflow_scripts.import_backbone import run


def test_a_training_checkpoint_becomes_a_backbone(tmp_path, caplog):
    state = dinov2_state(num_features=64, num_layers=2)
    network = {f"backbone.{name}": tensor for name, tensor in state.items()} | {"head.cls.weight": torch.zeros(8, 64)}
    torch.save({"model": network, "epoch": 7}, tmp_path / "best.pt")
    save_file(state, tmp_path / "weights_only.safetensors")
    with caplog.at_level(logging.INFO):
        run(given=tmp_path / "best.pt", backbone=tmp_path / "one", image_px=IMAGE_PX)
    assert "left out 1 tensors of the training head, which nothing uses: head.cls.weight" in caplog.text
    run(given=tmp_path / "weights_only.safetensors", backbone=tmp_path / "two", image_px=IMAGE_PX)
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == ["config.json", "model.safetensors"]
    for name in ("config.json", "model.safetensors"):
        assert sha256_of(tmp_path / "one" / name) == sha256_of(tmp_path / "two" / name)
    images = torch.randn(2, 3, IMAGE_PX, IMAGE_PX, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        found = load_encoder(tmp_path / "one")(pixel_values=images).last_hidden_state[:, 0]
    assert torch.allclose(found, dinov2_cls(state, images), atol=1e-4)


@pytest.mark.parametrize("grid", [GRID + 4, GRID - 1])
def test_positions_for_another_size_are_resized_as_the_original_does(tmp_path, grid):
    state = dinov2_state(num_features=64, num_layers=2, grid=grid)
    save_file(state, tmp_path / "weights.safetensors")
    run(given=tmp_path / "weights.safetensors", backbone=tmp_path / "backbone", image_px=IMAGE_PX)
    model = load_encoder(tmp_path / "backbone")
    assert model.config.image_size == IMAGE_PX == GRID * PATCH_PX
    images = torch.randn(2, 3, IMAGE_PX, IMAGE_PX, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        found = model(pixel_values=images).last_hidden_state[:, 0]
    expected = dinov2_cls(state, images, resized_positions(state["pos_embed"], GRID))
    assert torch.allclose(found, expected, atol=1e-4)


def test_other_weights_leave_nothing_behind(tmp_path):
    torch.save({"layer.weight": torch.zeros(1)}, tmp_path / "other.pt")
    with pytest.raises(InputError, match=r"other\.pt lacks patch_embed\.proj\.weight"):
        run(given=tmp_path / "other.pt", backbone=tmp_path / "backbone", image_px=IMAGE_PX)
    assert not (tmp_path / "backbone").exists()
