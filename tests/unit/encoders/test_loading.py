import numpy as np
import pytest
import torch

from frame_expressions.encoders.audio import AudioEncoder
from frame_expressions.encoders.loading import load_encoder, random_encoder, save_encoder
from frame_expressions.runtime.errors import InputError
from tests.unit.encoders.networks import VISUAL, WAV2VEC2


def test_the_same_seed_gives_the_same_weights_and_a_folder_gives_them_back(tmp_path):
    first, second = random_encoder(VISUAL, seed=1), random_encoder(VISUAL, seed=1)
    save_encoder(first, tmp_path / "encoder")
    assert sorted(path.name for path in (tmp_path / "encoder").iterdir()) == ["config.json", "model.safetensors"]
    loaded = load_encoder(tmp_path / "encoder").state_dict()
    for name, tensor in second.state_dict().items():
        assert torch.equal(tensor, loaded[name])
    other = random_encoder(VISUAL, seed=2).state_dict()
    assert any(not torch.equal(tensor, other[name]) for name, tensor in loaded.items())


def test_missing_weights_are_not_made_up(tmp_path):
    from safetensors.torch import load_file, save_file

    save_encoder(random_encoder(VISUAL, seed=1), tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    del tensors["layernorm.weight"]
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"lacks 1 weights of its architecture, layernorm\.weight"):
        load_encoder(tmp_path)
    with pytest.raises(InputError, match="cannot be loaded as a Hugging Face model"):
        load_encoder(tmp_path / "nowhere")


@pytest.mark.parametrize("stored", [torch.float16, torch.bfloat16])
def test_weights_in_half_precision_are_widened(tmp_path, stored):
    half = random_encoder(WAV2VEC2, seed=0).to(stored)
    save_encoder(half, tmp_path)
    loaded = load_encoder(tmp_path)
    weights = half.state_dict()
    assert all(torch.equal(tensor, weights[name].float()) for name, tensor in loaded.state_dict().items())
    assert {tensor.dtype for tensor in loaded.state_dict().values()} == {torch.float32}
    audio_encoder = AudioEncoder(
        encoder=loaded, feature_extractor=None, layers="last2", device="cpu", dtype=torch.float32
    )
    assert audio_encoder.hidden_states(np.ones(4000, np.float32)).dtype == np.float32


def test_an_unknown_architecture_is_named():
    with pytest.raises(InputError, match="dinov9"):
        random_encoder({"model_type": "dinov9"}, seed=0)
