import importlib.metadata
import json

import numpy as np
import pytest
import torch
import yaml
from huggingface_hub import ModelCard
from PIL import Image
from transformers import AutoImageProcessor, AutoModel

from frame_expressions.encoders.loading import random_encoder, save_encoder
from frame_expressions.encoders.preprocessing import to_input
from frame_expressions.fusion.model import FusionModel
from frame_expressions.media.video import read_video
from frame_expressions.prediction.exported_model import ExportedModel, settings_of
from frame_expressions.prediction.predictor import predict_video
from tests.conftest import ROOT
from tests.media import make_video
from tests.unit.encoders.networks import WAV2VEC2
from workflow_scripts import export_model

SMOOTHING = {"kind": "vote", "window_frames": 5, "windows_at_fps": 30, "imputed": "exclude"}


@pytest.fixture
def parts(tmp_path, encoder):
    """What export_model takes, with small settings."""
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    config["encoders"]["visual"].update(resize_px=32, image_px=28)
    fusion = tmp_path / "model.safetensors"
    sizes = {"num_visual": 8, "num_audio": 8, "num_classes": 8, "num_fused": 4}
    FusionModel(head="gate", visual_dropout=0.1, audio_dropout=0.1, dropout=0.1, **sizes).save(fusion, {})
    best, stage1, scores = tmp_path / "best.json", tmp_path / "stage1.json", tmp_path / "scores.json"
    best.write_text(json.dumps(SMOOTHING | {"macro_f1": 0.5, "macro_f1_unsmoothed": 0.25}))
    given = {"provenance": {"settings": {"head": "gate", "tracks": ["somebody"]}, "inputs": {"secret": "0" * 64}}}
    stage1.write_text(
        json.dumps({"val_macro_f1": 0.75, "num_train_images": 1234, "num_left_out": {"missing": 5}, **given})
    )
    scores.write_text(json.dumps({"val_macro_f1": 0.375, **given}))
    return {
        "visual": encoder,
        "audio": encoder,
        "fusion": {"official": fusion},
        "best": best,
        "stage1": stage1,
        "scores": {"official": scores},
        "settings": settings_of(config),
        "model": tmp_path / "exported",
    }


def test_the_folder_is_whole_and_says_how_it_was_made_but_not_on_whom(parts):
    export_model.run(**parts)
    exported = ExportedModel.read(parts["model"])
    assert exported.fusion == [parts["model"] / "fusion/official.safetensors"]
    assert exported.smoothing == SMOOTHING
    text = (parts["model"] / "config.json").read_text()
    assert "somebody" not in text and "secret" not in text
    content = json.loads(text)
    assert content["trained"]["stage1"]["val_macro_f1"] == 0.75
    assert content["trained"]["fusion"]["official"]["settings"] == {"head": "gate"}
    assert content["versions"]["torch"] == importlib.metadata.version("torch")  # __version__ may add the build
    assert set(content["sha256"]) == {"visual/model.safetensors", "audio/model.safetensors", *content["fusion"]}


def test_the_card_is_one_that_the_hub_reads(parts):
    export_model.run(**parts)
    card = ModelCard.load(parts["model"] / "README.md")
    (result,) = card.data.eval_results
    assert (result.metric_type, result.metric_value) == ("f1", 0.5)
    trained = ("after the middle of the frame", "1,234 images (5 faulty left out)", "0.7500", "0.3750", "0.2500")
    for said in (*trained, "Predictor(", "leaving out frames that take a feature"):
        assert said in card.text


def test_the_encoder_and_its_processor_load_with_transformers_alone(parts, jpeg):
    export_model.run(**parts)
    processor = AutoImageProcessor.from_pretrained(parts["model"] / "visual")
    image = Image.radial_gradient("L").resize((32, 32)).convert("RGB")
    theirs = processor(image, return_tensors="pt")["pixel_values"]
    pixels = torch.tensor(list(image.get_flattened_data()), dtype=torch.uint8).view(1, 32, 32, 3)
    assert (theirs - to_input(pixels, 28)).abs().max() < 1e-5
    assert AutoModel.from_pretrained(parts["model"] / "visual").config.hidden_size == 8


def test_weights_from_elsewhere_need_no_report(parts):
    export_model.run(**parts | {"stage1": None, "scores": {}})
    assert "imported weights" in (parts["model"] / "README.md").read_text()


def test_exporting_twice_gives_the_same_bytes(parts, tmp_path):
    export_model.run(**parts)
    export_model.run(**parts | {"model": tmp_path / "again"})
    files = [path.relative_to(parts["model"]) for path in parts["model"].rglob("*") if path.is_file()]
    assert all((parts["model"] / name).read_bytes() == (tmp_path / "again" / name).read_bytes() for name in files)


def test_one_call_predicts_with_a_detector_of_ones_own(parts, shared, tmp_path):
    """A face of 60 to 88 px: smaller than the demonstration's cascade is asked for."""
    save_encoder(random_encoder(WAV2VEC2 | {"hidden_size": 8}, seed=0), tmp_path / "audio")
    export_model.run(**parts | {"audio": tmp_path / "audio"})
    rgb = next(read_video(shared / "media/faces/single_face.mp4")).rgb
    small = np.asarray(Image.fromarray(rgb).resize((256, 144)))
    clip = make_video(tmp_path / "clip.mp4", [0, 4, 8], size=(256, 144), draw=lambda number: small)
    detector = shared / "models/scrfd_500m.onnx"
    found = predict_video(clip, parts["model"], detector=detector)
    assert found["face"].tolist() == ["detected"] * 3
    assert 30 < (found["x2_px"] - found["x1_px"]).min() < 90
    larger = predict_video(clip, parts["model"], detector=detector, min_side_px=90)
    assert larger["face"].tolist() == ["absent"] * 3
