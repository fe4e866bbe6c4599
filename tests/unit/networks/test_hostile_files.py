"""Files that would run code if they were unpickled or imported: refused with a sentence, and nothing runs."""

import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from frame_expressions.artifacts.feature_shards import FeatureShards, write_shard
from frame_expressions.artifacts.provenance import provenance_of
from frame_expressions.artifacts.schemas import AUDIO_INDEX
from frame_expressions.corpora.image_sets import read_image_set
from frame_expressions.encoders.loading import load_encoder, load_feature_extractor, random_encoder, save_encoder
from frame_expressions.networks.published_weights import read_checkpoint, read_state_dict, read_vector
from frame_expressions.runtime.errors import InputError
from tests.payload import RunsCode

ARCHITECTURE = {
    "model_type": "dinov2",
    "hidden_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "image_size": 28,
    "patch_size": 14,
}


@pytest.fixture
def canary(tmp_path):
    """A folder that must not appear."""
    canary = tmp_path / "canary"
    yield canary
    assert not canary.exists()


@pytest.fixture
def encoder(tmp_path):
    """A small encoder's folder."""
    save_encoder(random_encoder(ARCHITECTURE, seed=0), tmp_path / "encoder")
    return tmp_path / "encoder"


def _npy(path: Path, canary: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, np.array([RunsCode(canary)], dtype=object), allow_pickle=True)
    return path


def test_the_payload_runs_where_it_is_unpickled(tmp_path):
    pickle.loads(pickle.dumps(RunsCode(tmp_path / "made")))
    assert (tmp_path / "made").is_dir()


@pytest.mark.parametrize("name", ["weights.pth", "weights.pt", "weights.bin"])
def test_weights(tmp_path, canary, name):
    torch.save({"model": {"a": torch.zeros(1)}, "epoch": RunsCode(canary)}, tmp_path / name)
    with pytest.raises(InputError, match="contains Python objects besides tensors"):
        read_state_dict(tmp_path / name)
    (tmp_path / name).write_bytes(pickle.dumps({"model": RunsCode(canary)}))
    with pytest.raises(InputError, match="zip format"):
        read_state_dict(tmp_path / name)


def test_pickles_by_the_name_of_safetensors(tmp_path, canary):
    path = tmp_path / "weights.safetensors"
    torch.save({"a": RunsCode(canary)}, path)
    with pytest.raises(InputError, match="cannot be read as safetensors"):
        read_state_dict(path)


def test_a_training_checkpoint(tmp_path, canary):
    torch.save({"fingerprint": "a", "progress": RunsCode(canary)}, tmp_path / "c.pt")
    with pytest.raises(InputError, match="contains Python objects besides tensors"):
        read_checkpoint(tmp_path / "c.pt", "delete it")


def test_arrays(tmp_path, canary):
    with pytest.raises(InputError, match=r"cannot be read as an \.npy array"):
        read_vector(_npy(tmp_path / "mean.npy", canary))
    _npy(tmp_path / "set/train_set/annotations/1_exp.npy", canary)
    with pytest.raises(InputError, match=r"cannot be read as an \.npy array"):
        read_image_set("affectnet_npy", tmp_path / "set")


def test_features(tmp_path, canary):
    paths = tmp_path / "a.npy", tmp_path / "a.parquet"
    columns = {"track": pa.array(["a"]), "frame": pa.array([1]), "present": pa.array([True])}
    write_shard(*paths, np.zeros((1, 2), np.float32), AUDIO_INDEX, columns, provenance_of({}))
    _npy(paths[0], canary)
    with pytest.raises(InputError, match="cannot be read"):
        FeatureShards([paths])


def test_an_encoder_without_safetensors_is_not_read_from_a_pickle(encoder, canary):
    (encoder / "model.safetensors").unlink()
    torch.save({"cls_token": RunsCode(canary)}, encoder / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"encoder cannot be loaded .*give a folder with config\.json and model\.safe"):
        load_encoder(encoder)


def test_a_pickle_beside_an_encoders_safetensors_is_left_alone(encoder, canary):
    torch.save({"cls_token": RunsCode(canary)}, encoder / "pytorch_model.bin")
    assert load_encoder(encoder).config.hidden_size == 8


@pytest.mark.parametrize("model_type", ["dinov2", "unheard_of"])
def test_code_that_comes_with_an_encoder_is_not_imported(encoder, canary, model_type):
    names = {name: "evil.Evil" for name in ("AutoConfig", "AutoModel", "AutoFeatureExtractor")}
    described = json.loads((encoder / "config.json").read_text()) | {"auto_map": names, "model_type": model_type}
    (encoder / "config.json").write_text(json.dumps(described))
    (encoder / "preprocessor_config.json").write_text(json.dumps({"feature_extractor_type": "Evil", "auto_map": names}))
    (encoder / "evil.py").write_text(f"import pathlib\npathlib.Path({str(canary)!r}).mkdir()\nclass Evil: pass\n")
    if model_type == "dinov2":
        load_encoder(encoder)
    else:
        with pytest.raises(InputError, match="cannot be loaded as a Hugging Face model"):
            load_encoder(encoder)
    with pytest.raises(InputError, match=r"preprocessor_config\.json cannot be read"):
        load_feature_extractor(encoder)


@pytest.mark.parametrize("content", [b"", b"no weights", b"\xff" * 100])
def test_damaged_safetensors_of_an_encoder_are_named(encoder, content):
    (encoder / "model.safetensors").write_bytes(content)
    with pytest.raises(InputError, match="encoder cannot be loaded as a Hugging Face model"):
        load_encoder(encoder)
    shutil.rmtree(encoder)
