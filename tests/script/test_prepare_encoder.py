import json
import time

import pytest

from frame_expressions.artifacts.provenance import sha256_of
from frame_expressions.encoders import loading
from frame_expressions.encoders.loading import fetch_preprocessor, load_encoder, load_feature_extractor
from frame_expressions.runtime.errors import InputError
from tests.unit.encoders.networks import VISUAL
from workflow_scripts.prepare_encoder import run

SETTINGS = {
    "source": "random",
    "architecture": VISUAL,
    "preprocessor": {"feature_extractor_type": "Wav2Vec2FeatureExtractor", "do_normalize": False},
    "hub": "facebook/dinov2-large",
    "revision": "main",
    "sha256": None,
    "seed": 3,
}


def _run(folder, **changes):
    run(folder=folder, record=folder / "source.json", **(SETTINGS | changes))


def test_random_weights_are_the_same_for_the_same_seed(tmp_path):
    for name in ("one", "two"):
        _run(tmp_path / name)
    found = sha256_of(tmp_path / "one" / "model.safetensors")
    assert found == sha256_of(tmp_path / "two" / "model.safetensors")
    record = json.loads((tmp_path / "one" / "source.json").read_text())
    assert (record["source"], record["sha256"]) == ("random", found)
    assert load_encoder(tmp_path / "one").config.hidden_size == 8


def test_other_weights_than_configured_are_refused(tmp_path):
    with pytest.raises(InputError, match="instead of the configured 0000"):
        _run(tmp_path / "one", sha256="0" * 64)


def _unreachable(*arguments, **settings):
    raise OSError("We couldn't connect.\nAnd more.")


def test_a_hub_that_cannot_be_reached_is_named(tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r"facebook/dinov2-large cannot be loaded.*; unset HF_HUB_OFFLINE"):
        _run(tmp_path / "one", source="hub")
    monkeypatch.setattr(loading, "hub_answers", lambda: True)
    monkeypatch.setattr(loading.huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(loading.AutoModel, "from_pretrained", _unreachable)
    with pytest.raises(InputError, match=r"couldn't connect\); run `snakemake --cores 1 fetch_models` with the same"):
        _run(tmp_path / "one", source="hub")
    assert not (tmp_path / "one" / "source.json").exists()


def test_a_hub_that_does_not_answer_is_asked_once(tmp_path, monkeypatch):
    constants = loading.huggingface_hub.constants
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    started = time.monotonic()
    with pytest.raises(
        InputError, match=r"facebook/dinov2-large cannot be loaded.*; run `snakemake --cores 1 fetch_mo"
    ):
        _run(tmp_path / "one", source="hub")
    assert time.monotonic() - started < 10  # five tries are 23 s
    with pytest.raises(InputError, match=r"whether a/b has a preprocessor_config.json; run `snakemake --cores 1 fetch"):
        fetch_preprocessor("a/b", "main")


def test_a_folder_says_whether_it_has_a_feature_extractor(tmp_path):
    assert load_feature_extractor(tmp_path) is None
    _run(tmp_path)
    assert load_feature_extractor(tmp_path).do_normalize is False
