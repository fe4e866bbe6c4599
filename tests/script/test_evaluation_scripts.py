"""assign_folds, evaluate, compare_protocols, tabulate_ablation: on logits made by hand."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from frame_expressions.artifacts.logits import write_logits
from frame_expressions.artifacts.parquet import read_parquet, write_parquet
from frame_expressions.artifacts.provenance import provenance_of, sha256_of
from frame_expressions.challenge.scores import macro_f1
from frame_expressions.corpora.published_folds import divide_as_published
from frame_expressions.runtime.errors import InputError
from frame_expressions.smoothing.evaluation import EvaluationSettings
from frame_expressions.smoothing.search import SmoothingSearchSettings
from frame_expressions.smoothing.smoothing import smooth_logits
from workflow_scripts import assign_folds, compare_protocols, evaluate, tabulate_ablation

LENGTH = 80
PROTOCOLS = ("nested", "paper", "tuned", "official")


@pytest.fixture
def fold(tmp_path):
    """Write logits that name the class, but for noise, of tracks chosen and reported on; return path and truth."""

    def write(name, selection, heldout, seed=0, noise=2.0, padded_share=0.2):
        rng = np.random.default_rng(seed)
        tracks = list(dict.fromkeys([*selection, *heldout]))
        labels = np.tile(np.arange(LENGTH) // 10, len(tracks)).astype(np.int8)
        labels[3] = -1
        values = np.eye(8)[np.maximum(labels, 0)] * 2 + rng.normal(scale=noise, size=(len(labels), 8))
        rows = values.astype(np.float32).reshape(len(tracks), LENGTH, 8)
        of_frame = np.repeat(tracks, LENGTH)
        frames = {
            "face_present": np.ones(len(labels), bool),
            "audio_present": np.ones(len(labels), bool),
            "imputed": np.zeros(len(labels), bool),
            "label": labels,
            "time_s": np.tile(np.arange(LENGTH) / 30, len(tracks)),
            "detected": np.arange(len(labels)) % 4 > 0,
            "padded_share": np.where(np.arange(len(labels)) % 2, padded_share, 0.0),
            "selection": np.isin(of_frame, selection),
            "heldout": np.isin(of_frame, heldout),
        }
        path = tmp_path / name / "val_logits.parquet"
        write_logits(dict(zip(tracks, rows, strict=True)), path, provenance_of({}), frames)
        return path, labels.reshape(len(tracks), LENGTH)

    return write


@pytest.fixture
def best(tmp_path):
    def write(name, kind, window_frames):
        path = tmp_path / f"{name}.json"
        chosen = {"kind": kind, "window_frames": window_frames, "windows_at_fps": 30, "imputed": "include"}
        path.write_text(json.dumps(chosen))
        return path

    return write


def _evaluate(out, logits, best, label_shift_frames=0, **changes):
    evaluate.run(
        logits=logits,
        best=best,
        scores=out / "scores.json",
        tracks=out / "tracks.parquet",
        confusion=out / "confusion.png",
        settings=EvaluationSettings(num_resamples=50, seed=1, label_shift_frames=label_shift_frames),
        **{"group_of": {name: name[0] for name in ("a1", "a2", "b", "c")}, "compares_kinds": False} | changes,
    )
    return json.loads((out / "scores.json").read_text())


def test_scores_are_those_of_the_held_out_tracks_each_smoothed_by_its_folds_choice(fold, best, tmp_path):
    (one, truth_one), (two, _) = fold("cv0", ["b"], ["a1", "a2"]), fold("cv1", ["c"], ["b"], seed=1)
    scores = _evaluate(tmp_path, [one, two], [best("one", "mean", 5), best("two", "none", 1)])
    table = read_parquet(one)
    logits = np.array(table["logits"].to_pylist()).reshape(-1, LENGTH, 8)
    held_out = np.concatenate([smooth_logits(logits[number], "mean", 5) for number in (1, 2)])
    assert truth_one.shape == (3, LENGTH)
    assert scores["folds"][0]["macro_f1"] == pytest.approx(macro_f1(truth_one[1:].ravel(), held_out))
    assert scores["folds"][1]["macro_f1"] == scores["folds"][1]["macro_f1_unsmoothed"]
    figures = [row["macro_f1"] for row in scores["folds"]]
    assert scores["macro_f1_mean"] == pytest.approx(np.mean(figures))
    assert scores["macro_f1_std"] == pytest.approx(np.std(figures, ddof=1))
    assert scores["macro_f1"] == pytest.approx(np.mean(list(scores["f1"].values())))
    assert np.sum(scores["confusion"]) == scores["num_labelled"] == 3 * LENGTH
    assert scores["num_labelled_detected"] == 180
    assert scores["macro_f1_std_ddof0"] == pytest.approx(np.std(figures))
    assert scores["macro_f1_complete"] == scores["macro_f1"] and scores["num_labelled_complete"] == 3 * LENGTH
    assert scores["num_videos"] == 2
    low, high = scores["macro_f1_interval_95"]
    assert low <= scores["macro_f1"] <= high
    assert (tmp_path / "confusion.png").read_bytes().startswith(b"\x89PNG")


def test_a_track_that_drags_the_score_down_shows(fold, best, tmp_path):
    path, _ = fold("official", ["a1", "b", "c"], ["a1", "b", "c"], noise=0.1)
    table = read_parquet(path).to_pandas()
    logits = {name: np.stack(rows["logits"]) for name, rows in table.groupby("track")}
    logits["b"] = -logits["b"]
    frames = {name: table[name].to_numpy() for name in table.columns if name not in ("track", "frame", "logits")}
    write_logits(logits, path, provenance_of({}), frames)
    scores = _evaluate(tmp_path, [path], [best("none", "none", 1)])
    tracks = read_parquet(tmp_path / "tracks.parquet").to_pandas().set_index("track")
    assert scores["macro_f1_std"] is None
    assert tracks["macro_f1_without"].idxmax() == "b"
    assert tracks.loc["b", "accuracy"] == 0 and tracks.loc["c", "accuracy"] == 1
    assert tracks.loc["b", "macro_f1_without"] == pytest.approx(1.0)


def _compared(tmp_path, fold, best, label_shift_frames=0):
    (one, _), (two, _) = fold("cv0", ["b"], ["a1", "a2"]), fold("cv1", ["c"], ["b"], seed=1)
    for protocol in PROTOCOLS:
        _evaluate(
            tmp_path / protocol,
            [one, two],
            [best("all", "median", 9)],
            label_shift_frames,
            compares_kinds=protocol == "paper",
        )
    files = {protocol: tmp_path / protocol / "scores.json" for protocol in PROTOCOLS}
    compare_protocols.run(scores=files, table=tmp_path / "table.txt")
    return json.loads(files["paper"].read_text()), (tmp_path / "table.txt").read_text()


def test_the_protocols_stand_side_by_side_the_honest_one_first(fold, best, tmp_path, capfd):
    scores, text = _compared(tmp_path, fold, best)
    assert [line.split()[0] for line in text.splitlines()[2:6]] == list(PROTOCOLS)
    line = next(line for line in text.splitlines() if line.startswith("paper"))
    for name in ("mean", "std", "std_ddof0"):
        assert f" {scores[f'macro_f1_{name}']:.4f}" in line
    assert f" {scores['macro_f1']:.4f}" in line
    complete = text.split("Complete frames")[1]
    line = next(line for line in complete.splitlines() if line.startswith("paper"))
    for name in ("mean", "std", "std_ddof0"):
        assert f" {scores[f'macro_f1_complete_{name}']:.4f}" in line
    assert f" {scores['num_labelled_complete']} " in line
    assert "tuned: epoch and smoothing tuned on the reported fold" in text
    assert "nested trains on 0 of 2 parts" in text and "paper and tuned on 1" in text
    assert "label_shift_frames" not in text
    assert text in capfd.readouterr().out


def test_every_kind_is_listed_at_the_fixed_window(fold, best, tmp_path):
    scores, text = _compared(tmp_path, fold, best)
    assert list(scores["by_kind"]) == ["gaussian", "mean", "median", "none", "vote"]
    assert scores["by_kind"]["median"]["macro_f1_mean"] == scores["macro_f1_mean"]
    assert scores["by_kind"]["none"]["macro_f1"] == scores["macro_f1_unsmoothed"]
    listed = text.split("Every kind of smoothing over 9 frames, protocol paper")[1]
    for kind, of_kind in scores["by_kind"].items():
        line = next(line for line in listed.splitlines() if line.startswith(kind))
        assert f" {of_kind['macro_f1_complete_mean']:.4f}" in line


def test_the_table_says_that_labels_were_shifted(fold, best, tmp_path):
    scores, text = _compared(tmp_path, fold, best, label_shift_frames=1)
    assert scores["num_labelled"] == 3 * LENGTH - 3
    assert "evaluation.label_shift_frames is 1" in text


def _assign(folds, tracks, timelines=None, division="grouped", given=None):
    inputs = {"tracks": tracks, "timelines": timelines or {}, "given": given}
    assign_folds.run(**inputs, division=division, num_folds=3, folds=folds)
    return pd.read_csv(folds, sep="\t").set_index("track")


def test_folds_of_a_corpus_without_labels_are_refused_with_a_sentence(tmp_path):
    with pytest.raises(InputError, match="0 labelled videos cannot be divided into 3 parts"):
        _assign(tmp_path / "folds.tsv", [])


def test_folds_are_assigned_by_video_whatever_tells_the_labels(tmp_path, annotation, table):
    rows, timelines = [], {}
    for number in range(6):
        path = str(annotation(f"t{number}", [number % 8] * 20)) if number else ""
        rows.append(
            {
                "track": f"t{number}",
                "video": f"v{number}",
                "annotation": path,
                "label": "" if number else "Fear",
                "group": f"v{number // 2}",
            }
        )
    timelines["v0"] = table("v0", {"time_s": np.arange(30) / 30})
    folds = _assign(tmp_path / "folds.tsv", rows, timelines)
    assert folds.loc["t0", "Fear"] == 30 and folds.loc["t1", "Anger"] == 20
    assert folds.groupby("group")["part"].nunique().max() == 1
    assert set(folds["part"]) == {0, 1, 2}


def _pairs(annotation):
    """Three videos of two persons each, and the parts of them by the published rule."""
    names = [f"v{number}_{side}" for number in range(3) for side in ("left", "right")]
    rows = [
        {
            "track": name,
            "video": name.split("_")[0],
            "split": "validation" if number < 2 else "train",
            "annotation": str(annotation(name, [number, number, 7 - number])),
            "label": "",
            "group": name.split("_")[0],
        }
        for number, name in enumerate(names)
    ]
    counts = np.array([[2 * (c == n) + (c == 7 - n) for c in range(8)] for n in range(6)])
    return rows, divide_as_published(counts, names, [row["split"] for row in rows], 3)


def test_the_published_folds_divide_videos_and_say_which(tmp_path, annotation, caplog):
    rows, expected = _pairs(annotation)
    table = _assign(tmp_path / "paper_folds.tsv", rows, division="published")
    assert table["part"].tolist() == expected.tolist()
    divided = [name for name in ("v0", "v1", "v2") if table.loc[table["group"] == name, "part"].nunique() == 2]
    assert f"{len(divided)} videos have persons in different folds" in caplog.text
    assert caplog.text.rstrip().endswith(": " + ", ".join(divided))
    caplog.clear()
    grouped = _assign(tmp_path / "folds.tsv", rows)
    assert grouped.groupby("group")["part"].nunique().max() == 1 and "different folds" not in caplog.text


def test_folds_can_be_given_as_a_table(tmp_path, annotation):
    rows, _ = _pairs(annotation)
    lines = ["txtid,fold", *(f"{row['track']},{3 - number // 2}" for number, row in enumerate(rows))]
    (tmp_path / "mine.csv").write_text("\n".join(lines))
    table = _assign(
        tmp_path / "paper_folds.tsv", rows, division=str(tmp_path / "mine.csv"), given=tmp_path / "mine.csv"
    )
    assert table["part"].to_dict() == {row["track"]: 2 - number // 2 for number, row in enumerate(rows)}
    assert table.loc["v2_right", "Fear"] == 0 and table.loc["v2_right", "Sadness"] == 2


def _tabulate(out, rows):
    tabulate_ablation.run(
        rows=rows,
        method="method",
        group_of={name: name for name in ("a1", "b", "c")},
        smoothing=SmoothingSearchSettings(["mean", "median"], windows=[3, 5], windows_at_fps=30, imputed="include"),
        evaluation=EvaluationSettings(num_resamples=20, seed=0, label_shift_frames=0),
        table=out / "table.parquet",
        text=out / "table.txt",
        figure=out / "table.png",
    )
    return read_parquet(out / "table.parquet").to_pandas()


def test_the_ablation_table_has_a_row_for_every_configuration_and_seed(fold, tmp_path):
    rows = []
    # The worse one sees another crop, which is nowhere padded; it is scored on the frames that the method's are on.
    for name, noise, padded in (("method", 1.0, 0.2), ("worse", 3.0, 0.0)):
        for seed in (0, 1):
            sides = ((["a1"], ["b"]), (["b"], ["c"]))
            folds = [
                fold(f"{name}{seed}cv{number}", *side, seed, noise, padded)[0] for number, side in enumerate(sides)
            ]
            rows.append(
                {"configuration": name, "varies": "noise", "seed": seed, "logits": [str(path) for path in folds]}
            )
    found = _tabulate(tmp_path / "one", rows)
    assert found.groupby("configuration").size().to_dict() == {
        "method": 2,
        "worse": 2,
        "smoothing_none": 2,
        "smoothing_mean": 2,
        "smoothing_median": 2,
    }
    mean = found.groupby("configuration")["macro_f1"].mean()
    assert mean["method"] > mean["worse"]
    method = found[found["configuration"] == "method"].set_index("seed")
    plain = found[found["configuration"] == "smoothing_none"].set_index("seed")
    assert (method["macro_f1_unsmoothed"] == plain["macro_f1"]).all()
    assert (method[["difference_low", "difference_high"]] == 0).all(axis=None)
    worse = found[found["configuration"] == "worse"]
    assert (worse["difference_low"] <= mean["worse"] - mean["method"]).all()
    assert (worse["difference_high"] >= mean["worse"] - mean["method"]).all()
    kinds = found[found["configuration"].isin(["smoothing_mean", "smoothing_median"])]
    # On each fold the method takes the kind that is best on its selection tracks.
    assert method["macro_f1"].max() <= kinds["macro_f1"].max() + 1e-9
    assert (found["num_labelled"] == 2 * LENGTH).all() and (found["num_padded"] == LENGTH).all()
    text = (tmp_path / "one" / "table.txt").read_text()
    assert f"{mean['worse'] - mean['method']:.4f}" in text
    assert (found["num_complete"] == 2 * LENGTH).all() and (found["macro_f1_complete"] == found["macro_f1"]).all()
    assert f"complete: on the {2 * LENGTH:,} labelled frames with face and audio" in " ".join(text.split())
    _tabulate(tmp_path / "two", rows)
    for name in ("table.parquet", "table.txt", "table.png"):
        assert sha256_of(tmp_path / "one" / name) == sha256_of(tmp_path / "two" / name)


def test_without_a_detected_face_the_score_on_faces_is_null_and_all_others_stand(fold, best, tmp_path):
    path, _ = fold("official", ["b"], ["a1", "a2"])
    table = read_parquet(path)
    nowhere = pa.array(np.zeros(len(table), bool))
    write_parquet(table.set_column(table.column_names.index("detected"), "detected", nowhere), path, {})
    scores = _evaluate(tmp_path, [path], [best("one", "mean", 5)])
    assert scores["macro_f1_detected"] is None and scores["num_labelled_detected"] == 0
    assert scores["macro_f1"] > 0
    protocols = dict.fromkeys(PROTOCOLS, tmp_path / "scores.json")
    compare_protocols.run(scores=protocols, table=tmp_path / "table.txt")
    assert "nan" not in (tmp_path / "table.txt").read_text().lower()


def test_a_class_that_nobody_shows_counts_as_0_and_nothing_is_nan(fold, best, tmp_path):
    path, _ = fold("official", ["b"], ["a1", "a2"])
    table = read_parquet(path)
    fewer = np.where(table["label"].to_numpy() == 7, -1, table["label"].to_numpy())
    write_parquet(table.set_column(table.column_names.index("label"), "label", pa.array(fewer)), path, {})
    scores = _evaluate(tmp_path, [path], [best("one", "none", 1)])
    assert scores["f1"]["Other"] == 0 and np.isfinite(scores["macro_f1_interval_95"]).all()
    assert np.isfinite(read_parquet(tmp_path / "tracks.parquet").to_pandas()["macro_f1_without"]).all()
