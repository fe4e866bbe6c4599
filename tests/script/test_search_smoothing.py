import json

import numpy as np
import pytest

from frame_expressions.artifacts.logits import write_logits
from frame_expressions.artifacts.parquet import read_parquet
from frame_expressions.artifacts.provenance import provenance_of
from frame_expressions.challenge.scores import macro_f1
from frame_expressions.runtime.errors import InputError
from frame_expressions.smoothing.search import FixedSmoothingSettings, SmoothingSearchSettings
from frame_expressions.smoothing.smoothing import Smoothing, smooth_logits
from workflow_scripts import search_smoothing


@pytest.fixture
def logits(tmp_path):
    """Write logits [T, 8] of tracks that serve the selection; `labelled` says whether there are labels."""

    def write(name, tracks, labelled=True, imputed=None):
        labels = np.concatenate([np.arange(len(values)) // 25 % 8 for values in tracks.values()]).astype(np.int8)
        labels[::7] = -1
        if not labelled:
            labels[:] = -1
        length = len(labels)
        frames = {
            "face_present": np.ones(len(labels), bool),
            "audio_present": np.ones(len(labels), bool),
            "imputed": np.zeros(len(labels), bool) if imputed is None else imputed,
            "label": labels,
            "time_s": np.concatenate([np.arange(len(values)) / 30 for values in tracks.values()]),
            "detected": np.ones(length, bool),
            "padded_share": np.zeros(length),
            "selection": np.ones(length, bool),
            "heldout": np.zeros(length, bool),
        }
        path = tmp_path / name / "val_logits.parquet"
        write_logits(tracks, path, provenance_of({}), frames)
        return path, labels

    return write


def _track(length, seed):
    noise = np.random.default_rng(seed).normal(size=(length, 8))
    return (np.eye(8)[np.arange(length) // 25 % 8] + noise).astype(np.float32)


def _run(out, logits, imputed="include"):
    settings = SmoothingSearchSettings(["vote", "median"], [3, 15, 151], windows_at_fps=None, imputed=imputed)
    files = {"table": out / "search.parquet", "best": out / "best.json", "curve": out / "curve.png"}
    search_smoothing.run(logits=logits, **files, role="selection", settings=settings)
    return read_parquet(files["table"]).to_pydict(), json.loads(files["best"].read_text())


def test_scores_of_all_files_together_and_the_best_of_them(logits, tmp_path):
    one, two = {"a": _track(200, 1), "b": _track(90, 2)}, {"c": _track(300, 3)}
    (path_one, truth_one), (path_two, truth_two) = logits("one", one), logits("two", two)
    table, best = _run(tmp_path, [path_one, path_two])
    assert table["kind"] == ["none", *["vote"] * 3, *["median"] * 3]
    assert table["window_frames"] == [1, 3, 15, 151, 3, 15, 151]
    truth = np.concatenate([truth_one, truth_two])
    for kind, window, score in zip(*table.values(), strict=True):
        predicted = np.concatenate([smooth_logits(values, kind, window) for values in (one | two).values()])
        assert score == macro_f1(truth, predicted)
    row = int(np.argmax(table["macro_f1"]))
    assert best["kind"] == table["kind"][row] != "none" and best["window_frames"] == table["window_frames"][row] == 15
    assert best["macro_f1_unsmoothed"] == table["macro_f1"][0] < best["macro_f1"] == table["macro_f1"][row]
    assert Smoothing.read(tmp_path / "best.json") == Smoothing(best["kind"], 15, None)


def test_imputed_frames_are_left_out_where_the_setting_says_so(logits, tmp_path):
    track = _track(300, 1)
    imputed = np.arange(300) % 3 > 0
    track[imputed] = 50 * np.eye(8)[6]  # what they say is wrong
    path, truth = logits("one", {"a": track}, imputed=imputed)
    table, best = _run(tmp_path, [path], "exclude")
    for kind, window, score in zip(*table.values(), strict=True):
        assert score == macro_f1(truth, smooth_logits(track, kind, window, ~imputed))
    assert best["imputed"] == "exclude" and best["macro_f1"] > 0.5
    assert Smoothing.read(tmp_path / "best.json") == Smoothing(best["kind"], 15, None, "exclude")
    _, included = _run(tmp_path, [path])
    assert included["macro_f1"] < 0.2


def test_a_fixed_smoothing_is_kept_whatever_the_others_score(logits, tmp_path):
    tracks = {"a": _track(200, 1)}
    path, truth = logits("one", tracks)
    files = {"table": tmp_path / "search.parquet", "best": tmp_path / "best.json", "curve": tmp_path / "curve.png"}
    settings = FixedSmoothingSettings(kind="median", window_frames=151, imputed="include")
    search_smoothing.run(logits=[path], **files, role="selection", settings=settings)
    table, best = read_parquet(files["table"]).to_pydict(), json.loads(files["best"].read_text())
    assert table["kind"] == ["none", "mean", "median", "gaussian", "vote"]
    assert table["window_frames"] == [1, 151, 151, 151, 151]
    assert Smoothing.read(files["best"]) == Smoothing("median", 151, None)  # in frames of each video
    assert best["macro_f1"] == macro_f1(truth, smooth_logits(tracks["a"], "median", 151)) < max(table["macro_f1"])
    assert best["macro_f1_unsmoothed"] == table["macro_f1"][0]


def test_again_the_same_bytes(logits, tmp_path):
    path, _ = logits("one", {"a": _track(200, 1)})
    for name in ("first", "second"):
        _run(tmp_path / name, [path])
    for name in ("search.parquet", "best.json", "curve.png"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


def test_without_labels_it_says_so(logits, tmp_path):
    path, _ = logits("one", {"a": _track(60, 1)}, labelled=False)
    with pytest.raises(InputError, match="No frame is labelled"):
        _run(tmp_path, [path])
    assert not (tmp_path / "best.json").exists()
