"""Given files that are replaced, and copies of a finished checkout: content decides what runs again."""

import json
import os
import shutil

import pytest

from frame_expressions.artifacts.vocabulary import EXPRESSIONS
from frame_expressions.corpora.image_sets import AFFECTNET_TO_CHALLENGE
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


def test_bad_images_stop_a_run_before_training_or_are_left_out(given):
    """All at once; a change of the setting re-runs nothing that is finished. The last test: it changes the images."""
    for path in (given.root / "given").rglob("*"):
        _age(path)  # earlier tests leave files with a date in the future
    train, validation = sorted((given.root / "given/affectnet").glob("*/*/*.jpg"))[:2], "results/stage1/metrics.json"
    lists = sorted((given.root / "given/affectnet").glob("*/*.csv"))
    places = [_place_of(path, lists) for path in train]
    train[0].unlink()
    train[1].write_bytes(train[1].read_bytes()[:-300])
    assert {"check_images", "train_stage1"}.isdisjoint(given.jobs(*SMALL, "given.yaml"))  # only lists are compared
    before = json.loads((given.root / validation).read_text())
    again = ("--cores", "2", "--forcerun", "check_images", *SMALL, "given.yaml")
    done = given.snakemake(*again, "--", validation)
    assert done.returncode != 0 and "Traceback" not in done.stdout
    assert done.stdout.count("2 of Stage I's 244 images are faulty (1 missing, 1 undecodable), such as") >= 1
    assert "or set execution.on_bad_image to skip." in done.stdout
    assert json.loads((given.root / validation).read_text()) == before
    listed = (given.root / "results/stage1/faulty_images.tsv").read_text().splitlines()
    assert [line.split("\t")[:5] for line in listed[1:]] == [
        ["affectnet", *place, fault] for place, fault in zip(places, ("missing", "undecodable"), strict=True)
    ]

    (given.root / "skip.yaml").write_text("execution: {on_bad_image: skip}")
    printed = given.run(*again, "skip.yaml", "--", validation)
    assert "Warning: 2 of Stage I's 244 images are faulty (1 missing, 1 undecodable); Stage I leaves" in printed
    after = json.loads((given.root / validation).read_text())
    assert after["num_left_out"] == {"missing": 1, "undecodable": 1}
    assert after["num_train_images"] + after["num_val_images"] == 244 - 2
    assert (given.root / "results/stage1/images.tsv").read_text().splitlines() == listed
    assert not (given.root / "results/stage1/faulty_images.tsv").exists()
    assert {"check_images", "train_stage1"}.isdisjoint(given.jobs(*SMALL, "given.yaml"))


def _place_of(path, lists):
    """Split, path and expression of an image of AffectNet, as the table has them."""
    name = "/".join(path.parts[-2:])
    for file in lists:
        for line in file.read_text().splitlines():
            fields = line.split(",")
            if fields[0] == name:
                expression = EXPRESSIONS[AFFECTNET_TO_CHALLENGE[int(fields[6])]]
                split = "train" if file.stem == "training" else "validation"
                return [split, f"Manually_Annotated_Images/{name}", expression]
    return None
