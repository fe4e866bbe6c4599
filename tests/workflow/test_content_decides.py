"""Given files that are replaced, and copies of a finished checkout: content decides what runs again."""

import os
import shutil

import pytest

from tests.project import Project

SMALL = ("--configfile", "tests/configs/small.yaml")
GIVEN = """
corpus:
  layout: affwild2
  root: given/affwild2
  template: given/affwild2/test_set_examples/ABAW_Expr_test_set_example.txt
stage1:
  image_sets:
    - {name: affectnet, layout: affectnet_csv, root: given/affectnet}
    - {name: rafdb, layout: rafdb, root: given/rafdb}
"""


@pytest.fixture(scope="module")
def given(finished, tmp_path_factory):
    """The finished run, as if its corpus and images had been given; a copy with fresh times, without .snakemake."""
    root = tmp_path_factory.mktemp("given")
    shutil.copytree(finished.root, root / "first")
    project = Project(root / "first")
    shutil.copytree(project.root / "results/demo", project.root / "given")
    (project.root / "given.yaml").write_text(GIVEN)
    project.run("--touch", "--cores", "2", "submission", *SMALL, "given.yaml")
    shutil.copytree(project.root, root / "copy", copy_function=shutil.copy, ignore=shutil.ignore_patterns(".snakemake"))
    return Project(root / "copy")


def _age(path, seconds=1.5e9):
    os.utime(path, (seconds, seconds))


def test_a_copy_is_finished_and_its_settings_are_known(given):
    assert given.jobs(*SMALL, "given.yaml") == {}
    (given.root / "overlay.yaml").write_text("smoothing: {windows: [3, 5]}")
    expected = {"search_smoothing": 1, "write_submission": 1}
    assert given.jobs(*SMALL, "given.yaml", "overlay.yaml") == expected


def test_other_times_of_given_files_run_nothing(given):
    for number, path in enumerate(sorted((given.root / "given").rglob("*"))):
        _age(path, (0, 1.5e9, 9e9)[number % 3])
    assert given.jobs(*SMALL, "given.yaml") == {}


def test_videos_that_exchange_names_run_again(given):
    first, *_, last = sorted((given.root / "given/affwild2/batch1").glob("*.mp4"))
    spare = first.with_suffix(".spare")

    def exchange():
        first.rename(spare)
        last.rename(first)
        spare.rename(last)

    exchange()
    jobs = given.jobs(*SMALL, "given.yaml")
    exchange()
    for rule in ("extract_frames", "detect_faces", "crop_faces", "resample_audio"):
        assert jobs[rule] in (1, 2), rule  # one batch or two
    assert "train_stage1" not in jobs
    assert given.jobs(*SMALL, "given.yaml") == {}


@pytest.mark.parametrize(
    ("pattern", "rule"),
    [("affwild2/**/Train_Set/*.txt", "train_fusion"), ("affectnet/**/training.csv", "train_stage1")],
)
def test_an_older_annotation_or_image_list_runs_its_readers(given, pattern, rule):
    path = sorted((given.root / "given").glob(pattern))[0]
    before = path.read_bytes()
    try:
        path.write_bytes(before[: before.rstrip().rindex(b"\n") + 1])
        _age(path)
        jobs = given.jobs(*SMALL, "given.yaml")
        assert rule in jobs and "extract_frames" not in jobs
    finally:
        path.write_bytes(before)


def test_an_older_file_in_a_result_runs_what_reads_it(given):
    path = given.root / "results/fusion/official/model.safetensors"
    path.write_bytes(path.read_bytes() + b" ")
    _age(path)
    assert given.jobs(*SMALL, "given.yaml") == {"predict_logits": 1, "write_submission": 1}
