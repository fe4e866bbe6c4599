"""The report of a finished small run, and its inputs if imported weights or folds change the pipeline."""

import re
import shutil

import pytest
import yaml

from tests.project import Project

SMALL = ("--configfile", "tests/configs/small.yaml", "overlay.yaml")


@pytest.fixture(scope="module")
def reported(finished, tmp_path_factory):
    """A copy of the finished run with its report."""
    root = tmp_path_factory.mktemp("reported") / "project"
    shutil.copytree(finished.root, root)
    project = Project(root)
    (root / "overlay.yaml").write_text("{}")
    project.run("--cores", "2", "report", *SMALL)
    return project


def _inputs_of_report(project, settings):
    """The inputs of write_report according to a dry run."""
    (project.root / "overlay.yaml").write_text(yaml.safe_dump(settings))
    listed = project.run("-n", "--forcerun", "write_report", *SMALL, "--", "report")
    return re.search(r"^rule write_report:\n    input: (.*)$", listed, re.MULTILINE)[1].split(", ")


def test_the_report_is_made_from_a_run_and_not_made_again(reported):
    text = (reported.root / "results/report.html").read_text()
    assert "No ablation has been run" in text
    for rule in ("train_stage1", "detect_faces", "draw_contact_sheet"):
        assert f"{rule.split('_')[0]}_<wbr>" in text
    assert (reported.root / "results/training_curves.png").read_bytes().startswith(b"\x89PNG")
    (reported.root / "overlay.yaml").write_text("{}")
    assert "Nothing to be done" in reported.run("-n", *SMALL, "--", "report")


def test_snakemakes_own_report_holds_every_figure(reported):
    (reported.root / "overlay.yaml").write_text("{}")
    reported.run("--report", "snakemake.html", *SMALL, "--", "report")
    text = (reported.root / "snakemake.html").read_text()
    for name in ("report.html", "training_curves.png", "doubt.tsv", "official/curve.png", "official/confusion.png"):
        assert f"results/{name}" in text or f"/{name}" in text, name


def test_it_reads_what_the_submission_is_based_on(reported):
    assert "results/evaluation/official/scores.json" in _inputs_of_report(reported, {})
    folds = _inputs_of_report(reported, {"submission": {"models": "folds"}, "cross_validation": {"num_folds": 3}})
    assert {"results/evaluation/nested/scores.json", "results/smoothing/mean/search.parquet"} <= set(folds)
    published = {"num_folds": 3, "protocol": "paper"}
    paper = _inputs_of_report(reported, {"submission": {"models": "folds"}, "cross_validation": published})
    assert {"results/evaluation/paper/scores.json", "results/smoothing/paper/search.parquet"} <= set(paper)
    assert {f"results/fusion/cv{part}/history.parquet" for part in range(3)} <= set(folds)
    assert "results/fusion/official/history.parquet" not in folds

    given = reported.root / "weights.pth"
    given.write_bytes(b"only its name is read here")
    fusion = dict.fromkeys(("weights", "visual_mean", "visual_std", "audio_mean", "audio_std"), given.name)
    imported = _inputs_of_report(reported, {"imported": {"backbone": given.name, "fusion": fusion}})
    assert "results/evaluation/imported/scores.json" in imported
    assert not any("history.parquet" in path or "stage1" in path or "rafdb" in path for path in imported)


def test_an_existing_cross_validation_is_read_nested_first(reported):
    table = reported.root / "results/evaluation/table.txt"
    table.touch()
    read = [path for path in _inputs_of_report(reported, {}) if path.endswith("scores.json")]
    table.unlink()
    assert [path.split("/")[2] for path in dict.fromkeys(read)] == ["official", "nested", "paper", "tuned"]
    assert not any("nested" in path for path in _inputs_of_report(reported, {}))


def test_an_existing_ablation_is_read(reported):
    table = reported.root / "results/ablation/table.parquet"
    table.parent.mkdir(exist_ok=True)
    table.touch()
    assert "results/ablation/table.parquet" in _inputs_of_report(reported, {})
    table.unlink()
    assert "results/ablation/table.parquet" not in _inputs_of_report(reported, {})
