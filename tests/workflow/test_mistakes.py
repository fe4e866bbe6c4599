"""Mistakes in settings and data stop a run with one clear sentence before any long work."""

import re

import pytest
import yaml

HEADER = "Neutral,Anger,Disgust,Fear,Happiness,Sadness,Surprise,Other\n"


@pytest.fixture(scope="module")
def project(checkout):
    return checkout("mistakes")


def _refused(project, sentence, *arguments, target="submission"):
    done = project.snakemake("--cores", "2", target, *arguments)
    assert done.returncode != 0
    assert re.search(sentence, done.stdout), done.stdout[-3000:]
    assert "Traceback" not in done.stdout
    assert not (project.root / "results/timeline").exists()
    assert not (project.root / "results/stage1").exists()


def _overlay(project, settings):
    path = project.root / "overlay.yaml"
    path.write_text(yaml.safe_dump(settings))
    return "--configfile", str(path)


def _table(project, annotation):
    """A corpus of one video per split with the annotation's text; the videos are never decoded."""
    lines = ["track\tpath\tsplit\tannotation"]
    (project.root / "rows.txt").write_text(annotation)
    for split in ("train", "validation", "test"):
        (project.root / f"{split}.mp4").write_bytes(b"not looked into")
        lines.append(f"{split}\t{split}.mp4\t{split}\t{'' if split == 'test' else 'rows.txt'}")
    (project.root / "tracks.tsv").write_text("\n".join(lines) + "\n")
    (project.root / "images.csv").write_text("image,expression\n")
    images = [{"name": "mine", "layout": "table", "root": "images.csv"}]
    return {"corpus": {"layout": "table", "table": "tracks.tsv"}, "stage1": {"image_sets": images}}


def test_a_typo_in_the_configuration(project):
    _refused(
        project,
        r"unknown key 'crops\.scals'; did you mean 'scales'\?",
        *_overlay(project, {"crops": {"scals": [1.0]}}),
    )


def test_a_missing_video(project):
    settings = _table(project, HEADER + "0\n")
    (project.root / "test.mp4").unlink()
    _refused(project, r"tracks\.tsv line 4 names test\.mp4, which does not exist", *_overlay(project, settings))


def test_a_missing_weights_folder(project):
    settings = {"encoders": {"visual": {"source": "path", "path": "weights/dinov2"}}}
    _refused(project, r"encoders\.visual\.path: weights/dinov2 has no config\.json", *_overlay(project, settings))


def test_an_annotation_with_a_class_nine(project):
    settings = _table(project, HEADER + "0\n9\n")
    _refused(project, r"The annotation rows\.txt line 3 reads '9'", *_overlay(project, settings))


def test_a_number_instead_of_a_list(project):
    _refused(project, r"crops\.scales: 1\.2 is not a list; write crops", *_overlay(project, {"crops": {"scales": 1.2}}))


def test_a_width_that_one_head_of_the_ablation_does_not_support(project):
    overlay = _overlay(project, {"fusion": {"head_settings": {"num_fused": 100}}})
    sentence = "num_fused: 100 is not a multiple of 8, which the ablation's head cross_attention needs"
    _refused(project, sentence, "-n", *overlay, target="ablation")
    assert "Job stats" in project.run("-n", "submission", *overlay)


def test_a_corpus_without_test_tracks_only_stops_the_submission(project):
    settings = _table(project, HEADER + "0\n")
    rows = (project.root / "tracks.tsv").read_text().splitlines(keepends=True)
    (project.root / "tracks.tsv").write_text("".join(rows[:-1]))
    overlay = _overlay(project, settings)
    _refused(project, "has no test track, which a submission needs; add", *overlay)
    assert "Job stats" in project.run("-n", "results/fusion/official/model.safetensors", *overlay)


def test_results_of_another_corpus(project):
    overlay = _overlay(project, _table(project, HEADER + "0\n"))
    project.run("--cores", "1", "results/corpus/tracks.tsv", *overlay)
    try:
        _refused(
            project, "names none of this run's 23 videos; add the --configfile", target="results/stage1/metrics.json"
        )
        assert "Job stats" in project.run("-n", "submission", *overlay)
    finally:
        (project.root / "results/corpus/tracks.tsv").unlink()
