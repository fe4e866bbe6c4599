"""One loaded model, several videos."""

import json
import shutil
import sys

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from frame_expressions import InputError, MediaError, Predictor, predict_video
from frame_expressions.artifacts.provenance import provenance_of
from frame_expressions.artifacts.schemas import PREDICTIONS
from frame_expressions.encoders.loading import random_encoder, save_encoder
from frame_expressions.fusion.model import FusionModel
from frame_expressions.media.audio import write_audio
from frame_expressions.media.film_writer import write_video
from frame_expressions.prediction.default_config import default_config
from frame_expressions.prediction.exported_model import settings_of
from frame_expressions.prediction.frame_table import PROBABILITIES
from tests.conftest import ROOT
from tests.media import make_flash_and_beep, make_video
from tests.unit.encoders.networks import WAV2VEC2
from workflow_scripts import export_model

SIZES = {"num_visual": 8, "num_audio": 8, "num_classes": 8, "num_fused": 4}


@pytest.fixture
def model(tmp_path, encoder, request):
    """An exported model with tiny encoders and two fusion models, whose logits are averaged.

    By parameter: what they were trained on, and the setting fusion.missing.prediction.
    """
    trained_on, missing = getattr(request, "param", ("either", "auto"))
    config = default_config()
    config["fusion"]["missing"]["prediction"] = missing
    config["encoders"]["visual"].update(resize_px=32, image_px=28)
    save_encoder(random_encoder(WAV2VEC2 | {"hidden_size": 8}, seed=0), tmp_path / "audio")
    fusion = {}
    for seed, fold in enumerate(("cv0", "cv1")):
        torch.manual_seed(seed)
        fusion[fold] = tmp_path / f"{fold}.safetensors"
        dropout = dict.fromkeys(("visual_dropout", "audio_dropout", "dropout"), 0.1)
        model = FusionModel(head="gate", **dropout, **SIZES, trained_on=trained_on)
        model.save(fusion[fold], {})
    best = tmp_path / "best.json"
    best.write_text(
        '{"kind": "mean", "window_frames": 5, "windows_at_fps": 30, "imputed": "include", '
        '"macro_f1": 0.5, "macro_f1_unsmoothed": 0.25}'
    )
    export_model.run(
        visual=encoder,
        audio=tmp_path / "audio",
        fusion=fusion,
        best=best,
        stage1=None,
        scores={},
        settings=settings_of(config),
        model=tmp_path / "model",
    )
    return tmp_path / "model"


@pytest.fixture
def clips(tmp_path):
    """One with audio and one without, of different lengths."""
    with_audio = tmp_path / "beep.mov"
    make_flash_and_beep(with_audio, 25, ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac"))
    return [with_audio, make_video(tmp_path / "mute.mp4", list(range(0, 80, 4)), size=(160, 120))]


def test_one_predictor_on_two_videos_equals_two_fresh_ones(model, clips):
    predictor = Predictor(model)
    for clip in clips:
        pd.testing.assert_frame_equal(predictor.predict(clip), predict_video(clip, model), check_exact=True)


def test_the_number_of_threads_changes_nothing(model, clips):
    one, two = (Predictor(model, num_threads=number).predict(clips[0]) for number in (1, 2))
    pd.testing.assert_frame_equal(one, two, check_exact=True)


def test_a_table_has_the_contracts_columns_and_a_row_for_each_frame(model, clips):
    frames = Predictor(model).predict(clips[0])
    assert list(frames.columns) == PREDICTIONS.names
    assert frames["frame"].tolist() == list(range(1, 51))
    assert set(frames["face"]) == {"absent"} and frames["p_Fear"].nunique() > 1  # the beep is heard


@pytest.mark.parametrize(
    ("model", "filling"),
    [
        (("either", "auto"), "alone"),
        (("complete", "auto"), "nearest_frame"),
        (("complete", "alone"), "alone"),
        (("either", "nearest_feature"), "nearest_feature"),
    ],
    indirect=["model"],
)
def test_the_model_says_what_incomplete_frames_are_predicted_from(model, filling, clips, monkeypatch):
    # A face in frames 11 to 30, audio in frames 19 to 44.
    number = np.arange(1, 51)
    face, heard = (number >= 11) & (number <= 30), (number >= 19) & (number <= 44)
    features = np.random.default_rng(0).normal(size=(2, 50, 8)).astype(np.float16)
    predictor = Predictor(model)
    monkeypatch.setattr(predictor, "_embed_crops", lambda *_: (features[0] * face[:, None], face))
    monkeypatch.setattr(predictor, "_embed_audio", lambda *_: (features[1] * heard[:, None], heard))
    found = predictor.predict(clips[0])
    of_one = ("face", "audio") if filling == "alone" else (filling, filling)
    sources = [("nothing", 10), (of_one[0], 8), ("face_and_audio", 12), (of_one[1], 14), ("nothing", 6)]
    assert found["predicted_from"].tolist() == [source for source, count in sources for _ in range(count)]
    shares = found[list(PROBABILITIES)].to_numpy()
    nothing = (found["predicted_from"] == "nothing").tolist()
    assert np.isnan(shares).all(axis=1).tolist() == found["expression"].isna().tolist() == nothing
    for of_others, nearest in ((shares[10:18], shares[18]), (shares[30:44], shares[29])):
        assert (of_others == nearest).all() == (filling == "nearest_frame")


def test_the_audio_of_a_last_frame_that_is_held_is_heard(model, tmp_path):
    film, tone = tmp_path / "film.mp4", tmp_path / "tone.flac"
    samples = np.zeros(40_000, np.int16)
    samples[26_400:] = 9000  # at 1.65 s, later than a last frame of the usual length ends
    write_audio(samples, "audible", tone, provenance_of({}))
    grey = np.full((120, 160, 3), 100, np.uint8)
    write_video(film, ((k * 0.4, 1.3 if k == 3 else 0.4, grey) for k in range(4)), tone)
    assert Predictor(model).predict(film)["predicted_from"].tolist() == ["nothing"] * 3 + ["audio"]


def _with_audio(model, folder, **audio):
    """A copy of an exported model with other settings of the block `audio`."""
    shutil.copytree(model, folder)
    content = json.loads((folder / "config.json").read_text())
    content["settings"]["audio"].update(audio)
    (folder / "config.json").write_text(json.dumps(content))
    return folder


def test_a_model_that_encodes_silence_predicts_every_frame_of_a_video_with_audio(model, clips, tmp_path):
    encoding = Predictor(_with_audio(model, tmp_path / "encoding", silence="encoded"))
    missing = Predictor(model).predict(clips[0])
    assert set(missing["predicted_from"]) == {"audio", "nothing"}
    frames = encoding.predict(clips[0])
    assert set(frames["predicted_from"]) == {"audio"} and frames["p_Fear"].notna().all()
    assert set(encoding.predict(clips[1])["predicted_from"]) == {"nothing"}  # there is no audio stream


def test_a_models_windows_are_centred_as_it_was_trained(model, tmp_path):
    film, tone = tmp_path / "film.mp4", tmp_path / "tone.flac"
    samples = np.zeros(40_000, np.int16)
    samples[32_000:33_600] = 9000  # from 2.0 to 2.1 s
    write_audio(samples, "audible", tone, provenance_of({}))
    grey = np.full((120, 160, 3), 100, np.uint8)
    write_video(film, ((k * 0.4, 1.3 if k == 3 else 0.4, grey) for k in range(4)), tone)
    middle, start = Predictor(model), Predictor(_with_audio(model, tmp_path / "start", window_centre="start"))
    # The last windows extend 0.5 s to both sides of 1.85 s, the middle of the last frame, and of 1.2 s, its time stamp.
    assert middle.predict(film)["predicted_from"].tolist() == ["nothing"] * 3 + ["audio"]
    assert start.predict(film)["predicted_from"].tolist() == ["nothing"] * 4


def test_a_video_that_cannot_be_decoded_is_refused_and_the_next_is_predicted(model, clips, tmp_path):
    (tmp_path / "bad.mp4").write_bytes(b"no video at all")
    predictor = Predictor(model)
    for name in ("bad.mp4", "missing.mp4"):
        with pytest.raises(MediaError, match=name):
            predictor.predict(tmp_path / name)
    assert len(predictor.predict(clips[1])) == 20


def test_a_person_who_cannot_be_named_is_refused(model, clips):
    with pytest.raises(InputError, match="person: 'somebody'"):
        Predictor(model).predict(clips[0], person="somebody")


def test_a_missing_insightface_is_an_error_that_names_the_extra(model, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "insightface.model_zoo", None)  # what an import then finds
    (tmp_path / "scrfd.onnx").touch()
    with pytest.raises(InputError, match=r"frame-expressions\[insightface\]"):
        Predictor(model, detector=tmp_path / "scrfd.onnx")


def test_the_defaults_are_those_of_config_yaml():
    assert default_config() == yaml.safe_load((ROOT / "config.yaml").read_text())
