"""Cross-validation, ablation and imported weights, on top of a finished small run."""

import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from safetensors.torch import save_file

from frame_expressions.artifacts.logits import mean_logits, read_imputed, read_labelled_logits
from frame_expressions.artifacts.parquet import read_parquet
from frame_expressions.artifacts.provenance import sha256_of
from frame_expressions.artifacts.vocabulary import EXPRESSIONS
from frame_expressions.smoothing.smoothing import Smoothing
from tests.conftest import ROOT
from tests.original_weights import dinov2_state, gate_state
from tests.project import Project

SMALL = ("--configfile", "tests/configs/small.yaml", "overlay.yaml")


@pytest.fixture(scope="module")
def project(finished, tmp_path_factory):
    """A copy of the finished run, to continue from."""
    root = tmp_path_factory.mktemp("evaluated") / "project"
    shutil.copytree(finished.root, root)
    return Project(root)


def _overlay(project, settings):
    base = {"cross_validation": {"num_folds": 3}, "ablation": {"num_seeds": 1}}
    (project.root / "overlay.yaml").write_text(yaml.safe_dump(base | settings))


@pytest.fixture(scope="module")
def cross_validated(project):
    _overlay(project, {})
    printed = project.run("--cores", "2", "cross_validation", *SMALL)
    return project, printed


def test_cross_validation_prints_every_protocol_the_honest_one_first(cross_validated):
    project, printed = cross_validated
    text = (project.root / "results/evaluation/table.txt").read_text()
    assert text.strip() in printed
    assert [line.split()[0] for line in text.splitlines()[2:6]] == ["nested", "paper", "tuned", "official"]
    for protocol, folds in (("nested", 3), ("paper", 3), ("tuned", 3), ("official", 1)):
        scores = json.loads((project.root / f"results/evaluation/{protocol}/scores.json").read_text())
        assert len(scores["folds"]) == folds
        assert f"{scores['macro_f1']:.4f}" in text


def test_paper_has_one_fixed_smoothing_and_shares_its_models_with_tuned(cross_validated):
    project, _ = cross_validated
    evaluation = project.root / "results/evaluation"
    paper, tuned = (json.loads((evaluation / f"{name}/scores.json").read_text()) for name in ("paper", "tuned"))
    assert {(fold["kind"], fold["window_frames"], fold["windows_at_fps"]) for fold in paper["folds"]} == {
        ("median", 31, None)
    }
    unsmoothed = [[fold["macro_f1_unsmoothed"] for fold in scores["folds"]] for scores in (paper, tuned)]
    assert unsmoothed[0] == unsmoothed[1]
    for fixed, chosen in zip(paper["folds"], tuned["folds"], strict=True):
        assert chosen["macro_f1"] >= chosen["macro_f1_unsmoothed"] and chosen["windows_at_fps"] in (30, None)
        assert fixed["kind"] == "median"
    assert set(paper["by_kind"]) == {"none", "mean", "median", "gaussian", "vote"} and "by_kind" not in tuned
    corpus = project.root / "results/corpus"
    assert (corpus / "paper_folds.tsv").read_bytes() == (corpus / "folds.tsv").read_bytes()


def _differences():
    """The rows of docs/differences.md that name a setting: the setting, and the first rules that run again."""
    rows = re.findall(
        r"^\|.*\| `([^`|]+: [^`|]+)` \| ([a-z0-9_, ]+) \|$", (ROOT / "docs/differences.md").read_text(), re.MULTILINE
    )
    return [(setting, rules.split(", ")) for setting, rules in rows]


@pytest.fixture(scope="module")
def rules_after(cross_validated):
    """The rules of all jobs that depend on a job of a rule, with itself."""
    project, _ = cross_validated
    graph = project.run("submission", "cross_validation", "--dag", *SMALL)
    rule_of = dict(re.findall(r'(\d+)\[label = "(\w+)', graph))
    edges = re.findall(r"(\d+) -> (\d+)", graph)

    def after(rule):
        reached = {job for job, name in rule_of.items() if name == rule}
        while new := {end for start, end in edges if start in reached} - reached:
            reached |= new
        return {rule_of[job] for job in reached}

    return after


def _merged(settings, changes):
    both = {
        key: _merged(settings[key], changes[key]) for key in settings.keys() & changes if isinstance(changes[key], dict)
    }
    return settings | changes | both


@pytest.mark.parametrize(("setting", "rules"), _differences())
def test_a_switched_difference_re_runs_what_the_page_says_and_nothing_else(
    cross_validated, rules_after, setting, rules
):
    project, _ = cross_validated
    _overlay(project, _merged({"cross_validation": {"num_folds": 3}}, yaml.safe_load(setting)))
    jobs = project.jobs("cross_validation", *SMALL)
    assert jobs.keys() - {"cross_validation"} == set().union(*map(rules_after, rules)) - {
        "submission",
        "cross_validation",
    }


def test_other_parts_for_paper_leave_nested_as_it_is(cross_validated):
    project, _ = cross_validated
    _overlay(project, {"cross_validation": {"num_folds": 3, "paper": {"folds": "published"}}})
    planned = project.jobs(*SMALL, target="cross_validation")
    assert planned["assign_paper_folds"] == 1 and "assign_folds" not in planned
    assert planned["train_fusion"] == 3 and planned["search_smoothing"] == 3
    _overlay(project, {})


def test_every_labelled_track_is_reported_on_once_and_never_by_a_model_that_saw_it(cross_validated):
    project, _ = cross_validated
    reported = []
    for fold in range(3):
        folder = project.root / f"results/fusion/cv{fold}"
        heldout = read_labelled_logits(folder / "val_logits.parquet", "heldout")
        settings = json.loads((folder / "metrics.json").read_text())["provenance"]["settings"]["tracks"]
        videos = {
            part: {name.removesuffix("_left").removesuffix("_right") for name in settings[part]} for part in settings
        }
        assert not videos["heldout"] & (videos["train"] | videos["selection"])
        assert not videos["selection"] & videos["train"]
        assert set(heldout.logits) == set(settings["heldout"])
        reported += heldout.logits
    rows = (project.root / "results/corpus/tracks.tsv").read_text().splitlines()[1:]
    assert sorted(reported) == sorted(row.split("\t")[0] for row in rows if row.split("\t")[3] != "test")


def test_the_submission_can_be_the_mean_of_the_fold_models(cross_validated):
    project, _ = cross_validated
    _overlay(project, {"submission": {"models": "folds"}})
    assert project.jobs(*SMALL) == {"predict_logits": 3, "search_smoothing_of_mean": 1, "write_submission": 1}
    project.run("--cores", "2", "submission", *SMALL)
    results = project.root / "results"
    logits = mean_logits([results / f"fusion/cv{fold}/test_logits.parquet" for fold in range(3)])
    imputed = read_imputed(results / "fusion/cv0/test_logits.parquet")
    best = Smoothing.read(results / "smoothing/mean/best.json")
    lines = (results / "submission/predictions.txt").read_text().splitlines()[1:]
    time_s = pd.concat(pd.read_parquet(path) for path in (results / "features/visual").glob("test-*.parquet"))
    time_s = {track: rows["time_s"].to_numpy() for track, rows in time_s.groupby("track")}
    for track, values in logits.items():
        written = [int(line.split(",")[1]) for line in lines if line.startswith(f"{track}/")]
        expected = best.classes(values, time_s[track], imputed[track])
        assert written[: len(expected)] == expected.tolist()


def test_the_published_submission_is_smoothed_as_configured(cross_validated):
    project, _ = cross_validated
    published = {"submission": {"models": "folds"}, "cross_validation": {"num_folds": 3, "protocol": "paper"}}
    _overlay(project, published)
    assert project.jobs(*SMALL) == {"predict_logits": 3, "write_submission": 1}
    _overlay(project, {})


def test_the_ablation_trains_what_a_row_changes_and_nothing_else(cross_validated):
    project, _ = cross_validated
    _overlay(project, {})
    listed = project.run("-n", "ablation", *SMALL)
    for rule in ("train_stage1", "dump_visual_features", "train_fusion", "crop_faces", "dump_audio_features"):
        assert f"\n{rule} " not in listed, rule
    official = sha256_of(project.root / "results/fusion/official/model.safetensors")
    printed = project.run("--cores", "2", "ablation", *SMALL)
    table = read_parquet(project.root / "results/ablation/table.parquet").to_pandas()
    assert len(table) == 14 + 5
    assert (project.root / "results/ablation/table.txt").read_text().strip() in printed
    assert sha256_of(project.root / "results/fusion/official/model.safetensors") == official
    results = project.root / "results/ablation"
    padaug = read_parquet(results / "stage1/without_padaug-0/history.parquet").schema.metadata[b"provenance"]
    assert json.loads(padaug)["settings"]["padaug"]["probability"] == 0.0
    plain = json.loads((results / "stage1/plain_head-0/metrics.json").read_text())["provenance"]["settings"]
    assert plain["head"] == "linear" and plain["padaug"]["probability"] > 0
    scales = read_parquet(results / "features/method-1.2-0/train-000.parquet")["scales"].to_pylist()
    assert {tuple(round(scale, 1) for scale in row) for row in scales} <= {(1.2,), ()}


def _write_gate(folder, seed):
    """A gate as published: with its statistics beside it, or, for an odd seed, in its checkpoint."""
    folder.mkdir(parents=True)
    gate, statistics = gate_state(num_visual=64, num_audio=64, seed=seed)
    if seed % 2:
        torch.save({"model": gate, **statistics}, folder / "best.pt")
        return
    save_file(gate, folder / "gate.safetensors")
    for name, values in statistics.items():
        np.save(folder / f"{name}.npy", values)


def test_published_weights_replace_both_trainings(project):
    weights = project.root / "weights"
    weights.mkdir()
    torch.save({"model": dinov2_state(num_features=64, num_layers=2, grid=8, patch_px=14)}, weights / "dinov2.pth")
    _write_gate(weights / "gate", seed=0)
    _overlay(project, {"imported": {"backbone": "weights/dinov2.pth", "gates": "weights/gate"}})
    shards = [path.name for path in (project.root / "results/features/visual").glob("*.npy")]
    assert project.jobs(*SMALL) == {
        "import_backbone": 1,
        "import_fusion": 1,
        "dump_visual_features": sum(not name.startswith("train") for name in shards),
        "predict_imported": 1,
        "predict_logits": 1,
        "search_smoothing": 1,
        "write_submission": 1,
    }
    project.run("--cores", "2", "submission", *SMALL)
    features = np.load(project.root / "results/features/visual/test-000.npy")
    assert features.shape[1] == 64
    check = json.loads((project.root / "results/submission/check.json").read_text())
    assert check["rows"] > 0


def test_several_published_gates_are_averaged_everywhere(project):
    """After the test above, so the features are those of the imported backbone."""
    for seed in range(3):
        _write_gate(project.root / f"weights/cv3/fold_{seed}", seed)
    folders = [f"weights/cv3/fold_{seed}" for seed in range(3)]
    _overlay(project, {"imported": {"backbone": "weights/dinov2.pth", "gates": folders}})
    assert project.jobs(*SMALL) == {
        "import_fusion": 3,
        "predict_imported": 1,
        "predict_logits": 3,
        "search_smoothing": 1,
        "write_submission": 1,
    }
    project.run("--cores", "2", "submission", "export_model", "results/evaluation/imported/scores.json", *SMALL)
    results = project.root / "results"
    names = [f"imported{number}" for number in range(3)]
    smoothing = Smoothing.read(results / "smoothing/imported/best.json")
    logits = mean_logits([results / f"fusion/{name}/test_logits.parquet" for name in names])
    lines = (results / "submission/predictions.txt").read_text().splitlines()[1:]
    time_s = pd.concat(pd.read_parquet(path) for path in (results / "features/visual").glob("test-*.parquet"))
    time_s = {track: rows["time_s"].to_numpy() for track, rows in time_s.groupby("track")}
    imputed = read_imputed(results / "fusion/imported0/test_logits.parquet")
    expected = {
        track: smoothing.classes(values, time_s[track], imputed[track]).tolist() for track, values in logits.items()
    }
    for track, classes in expected.items():
        written = [int(line.split(",")[1]) for line in lines if line.startswith(f"{track}/")]
        assert written[: len(classes)] == classes
    scores = json.loads((results / "evaluation/imported/scores.json").read_text())
    assert [fold["kind"] for fold in scores["folds"]] == [smoothing.kind]
    stored = json.loads((results / "model/config.json").read_text())
    assert stored["fusion"] == [f"fusion/{name}.safetensors" for name in names]
    assert stored["smoothing"]["kind"] == smoothing.kind and stored["trained"]["fusion"] == {}

    tracks = pd.read_csv(results / "corpus/tracks.tsv", sep="\t")
    track = tracks[(tracks["split"] == "test") & (tracks["person"] == "auto")].iloc[0]
    project.run("--cores", "2", "predict", *SMALL, "--config", f"predict_videos={track['path']}")
    (table,) = (results / "predict").glob("*/*.parquet")
    found = read_parquet(table)["expression"].to_pylist()
    both = [(name, number) for name, number in zip(found, expected[track["track"]], strict=True) if name is not None]
    assert both and all(EXPRESSIONS.index(name) == number for name, number in both)
