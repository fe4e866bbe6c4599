"""`snakemake check_corpus` works on a corpus that stops every other target."""

import pytest
import yaml

from tests.media import make_video

HEADER = "Neutral,Anger,Disgust,Fear,Happiness,Sadness,Surprise,Other\n"
ANNOTATIONS = "EXPR_Recognition_Challenge"


@pytest.fixture(scope="module")
def project(checkout):
    """A checkout with a corpus in the organisers' layout that lacks the videos of track 2 and test track 3."""
    project = checkout("check")
    root = project.root / "affwild2"
    for name, folder in {"1": "Train_Set", "2": "Validation_Set"}.items():
        annotation = root / ANNOTATIONS / folder / f"{name}.txt"
        annotation.parent.mkdir(parents=True)
        annotation.write_text(HEADER + f"{name}\n" * 9)
    (root / "ABAW_Expr_test_set_sample.txt").write_text("".join(f"3/{k:05d}.jpg,0\n" for k in range(1, 10)))
    (root / "batch1").mkdir()
    _add_video(project, "1")
    (project.root / "images.csv").write_text("image,expression\n")
    images = [{"name": "mine", "layout": "table", "root": "images.csv"}]
    settings = {"corpus": {"layout": "affwild2", "root": "affwild2"}, "stage1": {"image_sets": images}}
    (project.root / "mine.yaml").write_text(yaml.safe_dump(settings))
    return project


def _add_video(project, name):
    make_video(project.root / f"affwild2/batch1/{name}.mp4", [4 * k for k in range(9)], size=(16, 16))


def test_everything_missing_is_shown_until_submission_can_run(project):
    options = ("--cores", "1", "--configfile", "mine.yaml")
    refused = project.snakemake("submission", *options)
    assert refused.returncode != 0 and "Track 2 (validation) has no video" in refused.stdout
    assert "Track 3" not in refused.stdout

    checked = project.snakemake("check_corpus", *options)
    assert checked.returncode != 0
    for sentence in (
        "Track 2 (validation) has no video",
        "Track 3 (test) has no video",
        "No validation frame is",
        "images.csv holds",
    ):
        assert checked.stdout.count(sentence) == 1, checked.stdout[-4000:]
    assert "5 errors, 3 warnings: submission cannot run." in checked.stdout and "Traceback" not in checked.stdout
    table = project.root / "results/corpus/check.tsv"
    assert table.read_text().count("\nerror\t") == 5

    for name in ("2", "3"):
        _add_video(project, name)
    with (project.root / "images.csv").open("a") as images:
        images.writelines(f"{number}.png,{number % 8}\n" for number in range(80))
    for number in range(80):
        (project.root / f"{number}.png").touch()
    assert "submission can run." in project.run("check_corpus", *options)
    assert "\nerror\t" not in table.read_text()
    assert not (project.root / "results/timeline").exists()
    project.run("-n", "submission", *options)


def test_the_demonstration_needs_nothing(checkout):
    said = checkout("demo").run("check_corpus", "--cores", "1")
    assert "23 videos are not there yet; the workflow makes them itself." in said and "submission can run." in said
