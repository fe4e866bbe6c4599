"""Whose predictions are where, and what a new video, another folder or another model changes."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from frame_expressions.runtime.errors import InputError
from frame_expressions.workflow.corpus import Corpus
from frame_expressions.workflow.prediction import Prediction
from tests.conftest import ROOT


@pytest.fixture
def predict(tmp_path, monkeypatch):
    """Plan, check and record a prediction of a folder of videos by a model; returns it."""
    monkeypatch.chdir(tmp_path)
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    config["corpus"]["videos_per_batch"] = 4

    def plan(folder, model="one", **settings):
        Path(model).mkdir(exist_ok=True)
        Path(model, "config.json").write_text(json.dumps({"model": model}))
        prediction = Prediction.of(config | {"predict_videos": str(folder), "predict_model": model} | settings)
        prediction.check()
        prediction.save()
        return prediction

    return plan


def _videos(folder, *names):
    for name in names:
        path = Path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def _results(prediction, *names):
    for name in names:
        (prediction.results / name).touch()


def test_a_new_video_changes_the_batch_and_the_shard_of_no_other(predict):
    names = [f"clip{number:02d}.mp4" for number in range(30)]
    first = predict(_videos("clips", *names))
    batches = {place.batch for place in first.places.values()}
    assert len(batches) > 3
    second = predict(_videos("clips", "a.mp4", "clip005.mp4"))
    assert {path: second.places[path] for path in names} == first.places
    added = [second.places[path] for path in ("a.mp4", "clip005.mp4")]
    assert not batches & {place.batch for place in added}
    assert not {place.shard for place in first.places.values()} & {place.shard for place in added}
    Path("clips/clip00.mp4").unlink()
    third = predict("clips")
    assert third.places == second.places and "clip00" not in third.names.values()


def test_batches_and_shards_keep_apart_from_a_corpus_with_the_same_names(predict):
    corpus = Corpus.of_prediction(predict(_videos("x", "a.mp4", "b.mp4")), "all")
    folders = [corpus.video(name).folder("crops") for name in "ab"]
    assert all(folder.startswith("results/crops/predict-x-0") for folder in folders)
    assert corpus.shard_files("visual", "npy", ["predict-x"]) == ["results/features/visual/predict-x-000.npy"]
    assert corpus.shard_of("a").name == "predict-x-000"


def test_two_folders_of_one_name_do_not_share_results(predict, tmp_path):
    predict(_videos("P01/videos", "a.mp4"))
    said = r"results/predict/videos holds the predictions of .*P01/videos, not of P02/videos; .* predict_name=NAME"
    with pytest.raises(InputError, match=said):
        predict(_videos("P02/videos", "a.mp4"))
    assert predict("P02/videos", predict_name="P02").results == Path("results/predict/P02")
    for same in ("./P02/../P01/videos", tmp_path / "P01/videos"):
        assert predict(same).folder == Path("P01/videos")


def test_a_copied_checkout_with_its_videos_is_as_finished_as_the_original(predict, tmp_path, monkeypatch):
    first = predict(_videos("clips", "a.mp4"))
    shutil.copytree(tmp_path, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    assert predict("clips").places == first.places


def test_a_folder_that_moved_keeps_its_results(predict):
    first = predict(_videos("here/videos", "a.mp4"))
    Path("here").rename("there")
    assert predict("there/videos").places == first.places


def test_results_of_two_models_are_never_mixed(predict):
    prediction = predict(_videos("clips", "a.mp4", "b.mp4"))
    _results(prediction, "a.parquet", "b.parquet", "videos.tsv")
    prediction.save()
    assert (prediction.results / "videos.tsv").exists()
    predict("clips", model="two")
    assert not (prediction.results / "videos.tsv").exists()
    Path("clips/b.mp4").unlink()
    with pytest.raises(InputError, match=r"another model of videos that are no longer in clips: b; .*name"):
        predict("clips", model="one")
    assert predict("clips", model="two").kept == {"b": "clips/b.mp4"}


@pytest.mark.parametrize("content", ["", "{}", '{"folder": "x", "model": "y", "videos": {"a.mp4": {"name": "a"}}}'])
def test_a_damaged_plan_gives_a_sentence(predict, content):
    plan = predict(_videos("clips", "a.mp4")).results / "plan.json"
    plan.write_text(content)
    with pytest.raises(InputError, match=r"plan\.json .*delete it and run the workflow again"):
        predict("clips")
