"""A trained model leaves the checkout and predicts the user's own videos."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from frame_expressions.media.video import read_video
from frame_expressions.prediction.predictor import predict_video
from tests.media import make_flash_and_beep, times_of
from tests.project import Project

SMALL = ("--configfile", "tests/configs/small.yaml")


@pytest.fixture(scope="module")
def exporting(finished, tmp_path_factory):
    """A copy of the finished run with its exported model."""
    root = tmp_path_factory.mktemp("exporting") / "project"
    shutil.copytree(finished.root, root)
    project = Project(root)
    project.run("--cores", "2", "export_model", *SMALL)
    return project


@pytest.fixture(scope="module")
def model(exporting):
    return exporting.root / "results/model"


@pytest.fixture(scope="module")
def videos(finished, tmp_path_factory):
    """A folder with a demonstration video of two people under an awkward name, and a video without a face."""
    folder = tmp_path_factory.mktemp("my videos") / "holiday (1)"
    (folder / "day 2").mkdir(parents=True)
    tracks = pd.read_csv(finished.root / "results/corpus/tracks.tsv", sep="\t")
    double = tracks[tracks["track"].str.endswith("_left")]["path"].iloc[0]
    shutil.copy(finished.root / double, folder / "day 2/me & 'you'.mp4")
    make_flash_and_beep(folder / "flash.mov", 25, ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac"))
    return folder


@pytest.fixture(scope="module")
def predicted(checkout, model, videos, tmp_path_factory):
    """Another checkout, as on another machine, that only has the model's folder."""
    project = checkout("predicting")
    copied = tmp_path_factory.mktemp("received") / "model"
    shutil.copytree(model, copied)
    config = ("--config", f"predict_videos={videos}", f"predict_model={copied}", "predict_persons=all")
    text = project.run("--cores", "2", "predict", *config)
    return project, config, text


def test_exporting_trains_nothing(exporting, model):
    text = exporting.run("-n", "export_model", *SMALL)
    assert "Nothing to be done" in text
    parts = {path.name for path in model.iterdir() if path.name[0] != "."}
    assert parts == {"config.json", "README.md", "visual", "audio", "fusion"}


def test_every_video_has_its_tables_its_plot_and_its_overlay_video(predicted):
    project, _, text = predicted
    folder = project.root / "results/predict/holiday__1_"
    names = ["day_2-me____you_", "flash"]
    expected = {f"{name}.{suffix}" for name in names for suffix in ("parquet", "csv", "png", "mp4")}
    others = ["videos.tsv", "quarantine.tsv", "plan.json", "logits"]
    assert {path.name for path in folder.iterdir()} == {*expected, *others}
    assert not (project.root / "results/stage1").exists() and "2 videos" in text
    assert "InputFunctionException" not in text and len(text.splitlines()) < 40


def test_both_people_are_in_the_table_and_the_overlay_is_as_long_as_the_video(predicted, videos):
    project, _, _ = predicted
    folder = project.root / "results/predict/holiday__1_"
    rows = pd.read_csv(folder / "day_2-me____you_.csv")
    source = times_of(read_video(videos / "day 2/me & 'you'.mp4"))
    assert set(rows["person"]) == {1, 2}
    assert rows.groupby("person").size().tolist() == [len(source)] * 2
    assert times_of(read_video(folder / "day_2-me____you_.mp4")) == pytest.approx(source, abs=1e-3)
    faceless = pd.read_csv(folder / "flash.csv")
    assert set(faceless["face"]) == {"absent"} and len(faceless) == 50


def test_a_second_run_has_nothing_to_do_and_a_new_video_or_folder_leaves_the_others_alone(predicted, videos, tmp_path):
    project, config, _ = predicted
    assert "Nothing to be done" in project.run("-n", "predict", *config)
    (tmp_path / "more").mkdir()
    shutil.copy(videos / "flash.mov", tmp_path / "more")
    project.run("--cores", "2", "predict", *config, f"predict_videos={tmp_path}/more")
    assert (project.root / "results/predict/more/flash.mp4").exists()
    assert "Nothing to be done" in project.run("-n", "predict", *config)
    shutil.copy(videos / "flash.mov", tmp_path / "more/another.mov")
    assert set(project.jobs(*config, f"predict_videos={tmp_path}/more", target="predict").values()) == {1}
    other = tmp_path / "other/more"
    shutil.copytree(tmp_path / "more", other)
    refused = project.snakemake("-n", "predict", *config, f"predict_videos={other}")
    assert "results/predict/more holds the predictions of" in refused.stdout


def test_python_alone_predicts_the_same(predicted, model, videos):
    project, _, _ = predicted
    rows = pd.read_csv(project.root / "results/predict/holiday__1_/flash.csv")
    alone = predict_video(videos / "flash.mov", model)
    assert alone["predicted_from"].tolist() == rows["predicted_from"].tolist()
    assert set(alone["predicted_from"]) == {"audio", "nothing"}
    assert alone["expression"].fillna("").tolist() == rows["expression"].fillna("").tolist()
    assert np.allclose(alone["p_Fear"], rows["p_Fear"], atol=1e-5, equal_nan=True)
    scored = json.loads((model / "config.json").read_text())["trained"]["smoothing"]
    assert 0 <= scored["macro_f1_unsmoothed"] <= scored["macro_f1"] <= 1  # so small a run may hit no label


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ([], "predict needs videos; add --config predict_videos=FOLDER"),
        (["predict_videos=tests"], "results/model holds no exported model; run `snakemake --cores 8 export_model`"),
        (
            ["predict_videos=tests", "predict_model={model}"],
            "predict_videos: tests holds no file with a suffix of videos",
        ),
        (["predict_videos=nowhere", "predict_model={model}"], "predict_videos: nowhere does not exist"),
        (["predict_videos=tests", "predict_persons=three"], "predict_persons: 'three' is not one of"),
    ],
)
def test_mistakes_are_reported_in_one_sentence(checkout, model, config, sentence):
    project = checkout("mistaken")
    given = ["--config", *(part.format(model=model) for part in config)] if config else []
    done = project.snakemake("--cores", "2", "predict", *given)
    assert done.returncode != 0 and sentence in done.stdout, done.stdout[-2000:]
    assert "Traceback" not in done.stdout
