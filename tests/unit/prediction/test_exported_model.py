import json

import pytest
import yaml

from frame_expressions.prediction.exported_model import MODEL_TYPE, ExportedModel, settings_of
from frame_expressions.runtime.errors import InputError
from frame_expressions.workflow.input_files import adapted_encoder, encoder_files
from tests.conftest import ROOT


@pytest.fixture
def config():
    return yaml.safe_load((ROOT / "config.yaml").read_text())


@pytest.fixture
def folder(tmp_path, config):
    encoders = [
        f"{modality}/{name}" for modality in ("visual", "audio") for name in ("config.json", "model.safetensors")
    ]
    for name in (*encoders, "fusion/official.safetensors"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    settings = settings_of(config)
    settings["crops"]["scales"] = [1.1]
    settings["encoders"]["visual"]["resize_px"] = 77
    settings["features"]["audio"]["layers"] = "first2"
    settings["features"]["audio"]["min_tail_s"] = 0.5
    settings["audio"] = {"half_width_s": 0.25, "window_centre": "start", "silence": "encoded"}
    settings["fusion"]["missing"]["prediction"] = "nearest_feature"
    content = {
        "model_type": MODEL_TYPE,
        "settings": settings,
        "smoothing": {"kind": "vote", "window_frames": 5, "windows_at_fps": 30},
        "fusion": ["fusion/official.safetensors"],
    }
    (tmp_path / "config.json").write_text(json.dumps(content))
    return tmp_path


def test_a_models_settings_and_encoders_win_over_the_configuration(folder, config):
    before = yaml.safe_load((ROOT / "config.yaml").read_text())
    config["predict_videos"] = "somewhere"
    ExportedModel.read(folder).configure(config)
    assert settings_of(config) == json.loads((folder / "config.json").read_text())["settings"]
    assert adapted_encoder(config) == [f"{folder}/visual/model.safetensors", f"{folder}/visual/config.json"]
    assert encoder_files(config, "audio") == [f"{folder}/audio/model.safetensors", f"{folder}/audio/config.json"]
    unlike = [key for key in config if config[key] != before[key]]
    assert unlike == ["crops", "audio", "encoders", "features", "fusion", "predict_videos"]
    assert config["fusion"] == before["fusion"] | {"missing": {"training": "either", "prediction": "nearest_feature"}}
    assert config["features"]["visual"] == before["features"]["visual"]


def test_a_model_without_the_newer_settings_is_used_as_it_was_trained(folder, config):
    content = json.loads((folder / "config.json").read_text())
    del content["settings"]["fusion"]
    content["settings"]["audio"] = {"half_width_s": 0.5}
    del content["settings"]["features"]["audio"]["min_tail_s"]
    (folder / "config.json").write_text(json.dumps(content))
    config["audio"]["silence"] = "encoded"
    ExportedModel.read(folder).configure(config)
    trained = {"half_width_s": 0.5, "window_centre": "start", "silence": "missing"}
    assert settings_of(config)["audio"] == trained
    assert config["features"]["audio"]["min_tail_s"] == 0
    assert config["fusion"]["missing"]["prediction"] == "alone"


def test_a_folder_without_a_model_names_the_next_command(tmp_path):
    with pytest.raises(InputError, match="export_model` first"):
        ExportedModel.read(tmp_path / "results/model")


@pytest.mark.parametrize(
    "name",
    ["visual/config.json", "visual/model.safetensors", "audio/model.safetensors", "fusion/official.safetensors"],
)
def test_a_folder_that_was_copied_in_part_says_what_is_missing(folder, name):
    (folder / name).unlink()
    with pytest.raises(InputError, match=f"{name} is missing; copy the whole folder"):
        ExportedModel.read(folder)


@pytest.mark.parametrize("text", ["{", "[]", '{"model_type": "dinov2"}'])
def test_another_config_json_is_refused(folder, text):
    (folder / "config.json").write_text(text)
    with pytest.raises(InputError, match=r"config\.json"):
        ExportedModel.read(folder)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"fusion": ["../../secret.safetensors"]}, r"names its fusion models \['\.\./\.\./secret"),
        ({"fusion": ["/etc/passwd"]}, "names its fusion models"),
        ({"fusion": ["fusion/{x}.safetensors"]}, "names its fusion models"),
        ({"fusion": []}, "names its fusion models"),
        ({"fusion": None}, "names its fusion models None"),
        ({"smoothing": None}, "lacks settings or smoothing"),
        ({"settings": 3}, "lacks settings or smoothing"),
    ],
)
def test_a_model_that_somebody_sent_leads_to_no_other_files(folder, changes, sentence):
    content = json.loads((folder / "config.json").read_text()) | changes
    (folder / "config.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=sentence):
        ExportedModel.read(folder)


@pytest.mark.parametrize("settings", [{}, {"crops": 1}, {"crops": {"scales": [1]}, "audio": "x"}])
def test_a_model_without_its_settings_is_refused(folder, config, settings):
    content = json.loads((folder / "config.json").read_text()) | {"settings": settings}
    (folder / "config.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="lacks a setting that features depend on"):
        ExportedModel.read(folder).configure(config)
