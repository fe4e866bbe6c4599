"""A killed run resumes as the README describes, with the same bytes; tests/survival kills many runs."""

import json
import shutil
import signal
import subprocess
import sys

import pytest

from frame_expressions.corpora.tracks import Track, write_tracks
from tests.conftest import ROOT
from tests.survival.kills import jobs_in, kill_and_rerun, processes_in
from tests.survival.record import record
from tests.survival.same_bytes import STAGES, remove_from

COMMAND = ("--cores", "2", "submission", "--configfile", "tests/configs/small.yaml")


@pytest.fixture(scope="module")
def copied(finished, checkout):
    """A checkout elsewhere with the results of the finished small run and Snakemake's records of it."""
    project = checkout("copied")
    for folder in ("results", ".snakemake"):
        shutil.copytree(finished.root / folder, project.root / folder)
    return project


def test_a_finished_run_that_is_moved_has_nothing_to_do(copied):
    assert copied.jobs("--configfile", "tests/configs/small.yaml") == {}


def test_a_killed_run_continues_with_the_same_bytes(finished, copied):
    remove_from("features/visual", copied.root / "results")
    # Like a leftover of an earlier kill.
    (copied.root / "results/features/visual").mkdir()
    (copied.root / "results/features/visual/.train-000.npy.4000000.partial").write_bytes(b"half")
    trial = kill_and_rerun(copied, COMMAND, 8, finished.digests())
    assert trial is not None, "the run ended before it was killed"
    assert trial.outlived == [] and trial.failure == ""
    assert trial.differing == []


def test_every_folder_of_results_belongs_to_a_stage(finished):
    folders = {path.name for path in (finished.root / "results").iterdir() if path.is_dir()}
    assert folders - {"logs", "benchmarks", "records"} == {stage.split("/")[0] for stage in STAGES}


def test_the_readme_says_how_to_continue():
    said = "After a kill, run `snakemake --unlock` and then the same command again"
    assert said in _words(ROOT / "README.md")


def _words(path):
    return " ".join(path.read_text().split())


def test_any_corpus_is_unlocked_without_its_settings(checkout):
    project = checkout("locked")
    row = Track("x", "x", "elsewhere/x.mp4", "test", "", "", "", "x")
    write_tracks([row], project.root / "results/corpus/tracks.tsv")
    lock = project.root / ".snakemake/locks/0.output.lock"
    lock.parent.mkdir(parents=True)
    lock.write_text("results/submission/predictions.txt\n")
    assert "another corpus's results" in project.snakemake("-n", "submission").stdout
    project.run("--unlock")
    assert not lock.exists()


def test_running_jobs_are_read_from_snakemakes_output():
    text = """[Fri Nov 27 04:46:00 2026]
rule extract_frames:
    output: results/timeline/a
    jobid: 12
    reason: Missing output files
[Fri Nov 27 04:46:01 2026]
localrule train_stage1:
    output: results/stage1/head.safetensors
    log: results/logs/train_stage1.log
    jobid: 3
[Fri Nov 27 04:46:02 2026]
Finished jobid: 12 (Rule: extract_frames)
"""
    assert jobs_in(text) == ({"train_stage1": 1}, 1)


def test_a_process_that_works_in_a_folder_is_found(tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], cwd=folder)
    try:
        assert ["time.sleep(60)" in line for line in processes_in(folder, patience_s=0)] == [True]
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert processes_in(folder) == []


def test_a_section_leaves_the_others_as_they_are(tmp_path):
    path = tmp_path / "results/survival.json"
    record("mutations", {"media": 500}, path)
    record("kills", {"kills": 1}, path)
    record("kills", {"kills": 2}, path)
    assert json.loads(path.read_text()) == {"kills": {"kills": 2}, "mutations": {"media": 500}}
