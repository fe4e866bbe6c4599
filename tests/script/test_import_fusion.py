import numpy as np
import pytest
import torch

from frame_expressions.artifacts.provenance import sha256_of
from frame_expressions.fusion.inference import predict_logits
from frame_expressions.fusion.model import FusionModel
from frame_expressions.runtime.errors import InputError
from tests.original_weights import gate_logits, gate_state
from workflow_scripts.import_fusion import run


@pytest.fixture
def given(tmp_path):
    """The files of one published gate."""
    state, statistics = gate_state()
    torch.save({"model": state, "val_cm": np.eye(8, dtype=np.int64)}, tmp_path / "best.pt")
    for name, values in statistics.items():
        np.save(tmp_path / f"{name}.npy", values)
    return {"weights": tmp_path / "best.pt"} | {name: tmp_path / f"{name}.npy" for name in statistics}


def test_a_published_gate_becomes_a_fusion_model(given, tmp_path):
    for name in ("one", "two"):
        run(**given, model=tmp_path / name / "model.safetensors")
    path = tmp_path / "one" / "model.safetensors"
    assert sha256_of(path) == sha256_of(tmp_path / "two" / "model.safetensors")
    assert str(tmp_path).encode() not in path.read_bytes()
    assert FusionModel.load(path).settings["trained_on"] == "complete"  # as the authors train
    generator = torch.Generator().manual_seed(3)
    visual, audio = torch.randn(4, 6, generator=generator), torch.randn(4, 5, generator=generator)
    there = np.ones(4, bool)
    found = predict_logits(FusionModel.load(path), visual.numpy(), audio.numpy(), there, there)
    assert np.allclose(found, gate_logits(*gate_state(), visual, audio).numpy(), atol=1e-5)


def test_swapped_statistics_are_refused(given, tmp_path):
    given["visual_mean"], given["audio_mean"] = given["audio_mean"], given["visual_mean"]
    with pytest.raises(InputError, match=r"best\.pt: visual_mean has the shape \(5,\), not \(6,\)"):
        run(**given, model=tmp_path / "model.safetensors")
    assert not (tmp_path / "model.safetensors").exists()
