"""train_fusion, predict_logits, search_smoothing: each on what the one before it wrote."""

import json

import numpy as np
import pytest

from frame_expressions.artifacts.logits import read_imputed, read_labelled_logits, read_logits, read_presence
from frame_expressions.artifacts.parquet import read_parquet, read_provenance
from frame_expressions.artifacts.provenance import sha256_of
from frame_expressions.artifacts.text import write_tsv
from frame_expressions.artifacts.vocabulary import ROLES
from frame_expressions.corpora.folds import PART_COLUMNS
from frame_expressions.fusion import training_data
from frame_expressions.fusion.model import FusionModel
from frame_expressions.fusion.training import FusionSettings
from frame_expressions.runtime.errors import InputError
from frame_expressions.smoothing.search import SmoothingSearchSettings
from workflow_scripts import predict_logits, search_smoothing, train_fusion

HEAD = {"num_fused": 16, "visual_dropout": 0.2, "audio_dropout": 0.25, "dropout": 0.2}
TRAINING = {
    "epochs": 8,
    "batch_size": 32,
    "lr": 1e-2,
    "min_lr": 1e-4,
    "schedule": "per_batch",
    "weight_decay": 1e-4,
    "seed": 0,
    "dtype": "float32",
}
LENGTHS = {"t1": 60, "t2": 50, "t2_left": 0, "v1": 40, "v2": 24}


@pytest.fixture
def corpus(shard, annotation):
    """Features that tell the class; one track of a skipped video; one annotated by clip label."""
    rng = np.random.default_rng(0)
    labels_of = {track: (np.arange(length) // 8 % 8).astype(int) for track, length in LENGTHS.items()}
    labels_of["v2"][:] = 3
    visual, audio = {}, {}
    for track, labels in labels_of.items():
        visual[track] = np.eye(8)[labels] + rng.normal(scale=0.2, size=(len(labels), 8))
        audio[track] = rng.normal(size=(len(labels), 4))
        if len(labels):
            visual[track][2] = np.nan  # no face
            audio[track][3:5] = np.nan  # no audio
    rows = []
    for track, labels in labels_of.items():
        path = "" if track == "v2" else str(annotation(track, [*labels, 0]))  # one row too many
        label = "Fear" if track == "v2" else ""
        split = "train" if track.startswith("t") else "validation"
        group = track.split("_")[0]
        rows.append({"track": track, "split": split, "annotation": path, "label": label, "group": group})
    return {
        "tracks": rows,
        "visual": [shard("visual", visual)],
        "audio": [shard("audio", audio)],
        "labels": labels_of,
    }


def _train(corpus, out, dtype="float32", missing=("either", "auto"), **changes):
    settings = {
        "fold": "official",
        "folds": None,
        "tracks": corpus["tracks"],
        "visual": corpus["visual"],
        "audio": corpus["audio"],
        "device": "cpu",
        "num_threads": 1,
    } | changes
    names = ("model.safetensors", "val_logits.parquet", "history.parquet", "metrics.json")
    block = {"head": "gate", "head_settings": HEAD, "training": TRAINING | {"dtype": dtype}}
    block["missing"] = dict(zip(("training", "prediction"), missing, strict=True))
    train_fusion.run(
        outputs=train_fusion.Outputs(*(out / name for name in names)),
        settings=FusionSettings.from_config(block),
        **settings,
    )


def test_the_chain_from_features_to_the_smoothing(corpus, tmp_path):
    _train(corpus, tmp_path)
    logits = read_logits(tmp_path / "val_logits.parquet")
    assert {track: array.shape for track, array in logits.items()} == {"v1": (40, 8), "v2": (24, 8)}
    selection, heldout = (read_labelled_logits(tmp_path / "val_logits.parquet", role) for role in ROLES)
    for frames in (selection, heldout):
        assert list(frames.logits) == ["v1", "v2"]
        assert frames.labels.tolist() == [*corpus["labels"]["v1"], *corpus["labels"]["v2"]]
        assert [len(times) for times in frames.time_s.values()] == [40, 24] and frames.time_s["v2"][1] == 1 / 30
        assert np.flatnonzero(~frames.detected).tolist() == [2, 42]
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert sum(map(sum, metrics["val_confusion"])) == 64
    # Validation holds five of the eight classes.
    assert metrics["val_macro_f1"] > 0.5

    predict_logits.run(
        tracks=[row | {"split": "test"} for row in corpus["tracks"] if row["track"] in ("v1", "t2_left")],
        visual=corpus["visual"],
        audio=corpus["audio"],
        model=tmp_path / "model.safetensors",
        missing="auto",
        logits=tmp_path / "test_logits.parquet",
        num_threads=1,
    )
    again = read_logits(tmp_path / "test_logits.parquet")
    assert list(again) == ["v1"] and np.array_equal(again["v1"], logits["v1"])
    face, audio = read_presence(tmp_path / "test_logits.parquet", ["v1"])["v1"]
    assert np.flatnonzero(~face).tolist() == [2] and np.flatnonzero(~audio).tolist() == [3, 4]
    assert not read_imputed(tmp_path / "test_logits.parquet")["v1"].any()

    search_smoothing.run(
        logits=[tmp_path / "val_logits.parquet"],
        role="selection",
        table=tmp_path / "search.parquet",
        best=tmp_path / "best.json",
        curve=tmp_path / "curve.png",
        settings=SmoothingSearchSettings(["mean", "vote"], windows=[3, 5], windows_at_fps=30, imputed="include"),
    )
    table = read_parquet(tmp_path / "search.parquet").to_pydict()
    assert table["kind"] == ["none", "mean", "mean", "vote", "vote"]
    assert table["window_frames"] == [1, 3, 5, 3, 5]
    best = json.loads((tmp_path / "best.json").read_text())
    assert best["macro_f1"] == max(table["macro_f1"])
    assert best["macro_f1_unsmoothed"] == table["macro_f1"][0] == metrics["val_macro_f1"]
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")


def _predict(corpus, model, missing, logits):
    predict_logits.run(
        tracks=[row | {"split": "test"} for row in corpus["tracks"] if row["track"].startswith("v")],
        visual=corpus["visual"],
        audio=corpus["audio"],
        model=model,
        missing=missing,
        logits=logits,
        num_threads=1,
    )
    return read_logits(logits), read_imputed(logits)


@pytest.mark.parametrize(
    ("missing", "nearest"),
    [
        # Of each track, frame 3 lacks the face, frames 4 and 5 the audio: these take from frame 2, 2 and 6.
        (("complete", "auto"), True),
        (("either", "nearest_frame"), True),
        (("complete", "alone"), False),
        (("either", "auto"), False),
    ],
)
def test_the_saved_model_says_how_incomplete_frames_are_predicted(corpus, tmp_path, missing, nearest):
    _train(corpus, tmp_path, missing=missing)
    validation = read_labelled_logits(tmp_path / "val_logits.parquet", "selection")
    for track, logits in validation.logits.items():
        assert np.flatnonzero(validation.imputed[track]).tolist() == ([2, 3, 4] if nearest else [])
        assert np.array_equal(logits[2:5], logits[[1, 1, 5]]) == nearest
    stored = FusionModel.load(tmp_path / "model.safetensors").settings["trained_on"]
    assert stored == missing[0]
    found, imputed = _predict(corpus, tmp_path / "model.safetensors", missing[1], tmp_path / "test.parquet")
    assert all(np.array_equal(found[track], logits) for track, logits in validation.logits.items())
    assert all(np.array_equal(imputed[track], known) for track, known in validation.imputed.items())
    filling = read_provenance(tmp_path / "test.parquet")["settings"]["filling"]
    assert filling == ("nearest_frame" if nearest else "alone")
    # A setting of its own overrides the model.
    other, imputed = _predict(corpus, tmp_path / "model.safetensors", "nearest_feature", tmp_path / "other.parquet")
    assert np.flatnonzero(imputed["v1"]).tolist() == [2, 3, 4]
    assert np.array_equal(other["v1"][[1, 5]], found["v1"][[1, 5]])
    assert not np.array_equal(other["v1"][2:5], found["v1"][2:5])


def test_a_cross_validated_fold_keeps_what_it_is_chosen_and_reported_on_apart(corpus, tmp_path):
    folds = tmp_path / "folds.tsv"
    write_tsv(PART_COLUMNS, [[t, t, p, *[1] * 8] for t, p in zip(LENGTHS, (0, 1, 1, 2, 2), strict=True)], folds)
    _train(corpus, tmp_path, fold="cv0", folds=folds)
    selection, heldout = (read_labelled_logits(tmp_path / "val_logits.parquet", role) for role in ROLES)
    assert (list(selection.logits), list(heldout.logits)) == (["t2"], ["t1"])
    assert selection.labels.tolist() == corpus["labels"]["t2"].tolist()
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["provenance"]["settings"]["tracks"]["train"] == ["v1", "v2"]
    assert sum(map(sum, metrics["val_confusion"])) == 50


def test_an_imported_models_validation_tracks_are_labelled(corpus, tmp_path):
    _train(corpus, tmp_path)
    predict_logits.run(
        tracks=[row for row in corpus["tracks"] if row["split"] == "validation"],
        visual=corpus["visual"],
        audio=corpus["audio"],
        model=tmp_path / "model.safetensors",
        missing="auto",
        logits=tmp_path / "imported.parquet",
        num_threads=1,
    )
    trained, imported = (
        read_labelled_logits(tmp_path / name, "selection") for name in ("val_logits.parquet", "imported.parquet")
    )
    assert imported.labels.tolist() == trained.labels.tolist()
    assert all(np.array_equal(imported.logits[track], array) for track, array in trained.logits.items())


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_two_runs_give_the_same_bytes(corpus, tmp_path, monkeypatch, dtype):
    monkeypatch.setattr(training_data, "BUFFER_BYTES", 64 * 24)  # two batches of 8 + 4 features, so that there are two
    for name in ("one", "two"):
        _train(corpus, tmp_path / name, dtype=dtype)
    for name in ("model.safetensors", "val_logits.parquet", "history.parquet", "metrics.json"):
        assert sha256_of(tmp_path / "one" / name) == sha256_of(tmp_path / "two" / name), name


def test_features_of_another_video_are_refused(corpus, tmp_path, annotation):
    rows = [dict(row) for row in corpus["tracks"]]
    rows[0]["annotation"] = str(annotation("longer", [0] * 90))
    with pytest.raises(InputError, match="t1 has 90 rows but its video has 60 frames"):
        _train(corpus, tmp_path, tracks=rows)
    assert not (tmp_path / "model.safetensors").exists()
