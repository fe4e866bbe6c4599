"""A small run of the whole pipeline on the demonstration corpus, and what a change re-runs."""

import json
import os
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import yaml
from safetensors.torch import load_file

from frame_expressions.artifacts.parquet import read_parquet, read_provenance
from frame_expressions.challenge.submission import HEADER
from frame_expressions.challenge.templates import read_template
from frame_expressions.corpora.tracks import read_tracks
from frame_expressions.workflow.batches import divide_into_batches
from tests.conftest import ROOT

SMALL = ("--configfile", "tests/configs/small.yaml")
VIDEOS_PER_BATCH = yaml.safe_load((ROOT / "tests/configs/small.yaml").read_text())["corpus"]["videos_per_batch"]
AFTER_FEATURES = {"train_fusion": 1, "predict_logits": 1, "search_smoothing": 1, "write_submission": 1}


def _with(project, text):
    """The small run's settings with an overlay of `text`."""
    overlay = project.root / "overlay.yaml"
    overlay.write_text(text)
    return (*SMALL, str(overlay))


def _batches(project):
    return sorted(path.name for path in (project.root / "results/timeline").iterdir())


def _batch_of(project, track):
    (path,) = (project.root / "results/subjects").glob(f"*/{track}.parquet")
    return path.parent.name


def test_every_template_row_is_predicted_once_and_in_order(finished):
    lines = (finished.root / "results/submission/predictions.txt").read_text().splitlines()
    template = read_template(finished.root / "results/demo/affwild2/test_set_examples/ABAW_Expr_test_set_example.txt")
    assert lines[0] == HEADER
    assert [line.split(",")[0] for line in lines[1:]] == [f"{track}/{frame:05d}.jpg" for track, frame in template]
    assert {line.split(",")[1] for line in lines[1:]} <= set("01234567")
    check = json.loads((finished.root / "results/submission/check.json").read_text())
    assert check["rows"] == len(template) and check["skipped"] == {}
    # One test track's template has a row more than its video has frames.
    assert list(check["row_differences"].values()) == [1]


def test_every_stage_wrote_what_the_contracts_say(finished):
    results = finished.root / "results"
    tracks = (results / "corpus/tracks.tsv").read_text().splitlines()
    assert tracks[0].split("\t")[:4] == ["track", "video", "path", "split"]
    for line in tracks[1:]:
        track, video = line.split("\t")[:2]
        batch = _batch_of(finished, track)
        frames = read_parquet(results / f"timeline/{batch}/{video}.parquet").num_rows
        assert frames > 0
        assert read_parquet(results / f"frames/{batch}/{video}.parquet").num_rows == frames
        assert read_parquet(results / f"audio_windows/{batch}/{video}.parquet").num_rows == frames
        subject = read_parquet(results / f"subjects/{batch}/{track}.parquet")
        assert subject.num_rows == frames
        boxes = frames - subject["xyxy_px"].null_count
        assert read_parquet(results / f"crops/{batch}/{track}.parquet").num_rows == 3 * boxes > 0
        assert read_provenance(results / f"crops/{batch}/{track}.parquet")["settings"]["scales"] == [0.9, 1.2, 1.5]
    for name in ("backbone/config.json", "backbone/model.safetensors", "head.safetensors", "metrics.json"):
        assert (results / "stage1" / name).exists()
    assert not list(results.rglob("*.partial"))
    assert (results / "quarantine.tsv").read_text() == "file\tstage\treason\tffmpeg\n"
    assert (results / "stage1/images.tsv").read_text() == "image_set\tsplit\tpath\texpression\tfault\tdetail\n"


def test_no_artifact_holds_a_number_that_is_not_finite(finished):
    results = finished.root / "results"
    tables, arrays, weights = (
        sorted(path for path in results.rglob(f"*.{suffix}") if "demo" not in path.parts)
        for suffix in ("parquet", "npy", "safetensors")
    )
    assert tables and arrays and weights
    for path in tables:
        for name, column in zip((table := read_parquet(path)).column_names, table.columns, strict=True):
            values = column.combine_chunks()
            while pa.types.is_nested(values.type):
                values = values.flatten()
            if pa.types.is_floating(values.type):
                assert pc.all(pc.is_finite(values), min_count=0).as_py(), f"{path}: {name}"
    for path in arrays:
        assert np.isfinite(np.load(path)).all(), path
    for path in weights:
        assert all(tensor.isfinite().all() for tensor in load_file(path).values()), path
    for path in results.rglob("*.json"):
        json.loads(path.read_text(), parse_constant=lambda word, path=path: pytest.fail(f"{path} holds {word}"))


def test_no_rule_reads_the_truth_of_the_test_tracks(finished):
    listing = finished.run("--detailed-summary", *SMALL)
    made = [line for line in listing.splitlines() if line.startswith("results/")]
    assert any(line.startswith("results/demo/truth.parquet") for line in made)
    assert not any("truth.parquet" in line for line in made if not line.startswith("results/demo/"))


def test_a_second_run_has_nothing_to_do(finished):
    assert finished.jobs(*SMALL) == {}


@pytest.mark.parametrize(
    ("overlay", "expected"),
    [
        (
            "crops: {scales: [0.9, 1.3, 1.5]}",
            {"crop_faces": "batches", "dump_visual_features": "shards"} | AFTER_FEATURES,
        ),
        (
            "stage1: {padaug: {probability: 0.5}}",
            {"train_stage1": 1, "dump_visual_features": "shards"} | AFTER_FEATURES,
        ),
        (
            "audio: {half_width_s: 0.4}",
            {"window_audio": "batches", "dump_audio_features": "shards"} | AFTER_FEATURES,
        ),
        (
            "audio: {window_centre: start}",
            {"window_audio": "batches", "dump_audio_features": "shards"} | AFTER_FEATURES,
        ),
        ("audio: {silence: encoded}", {"dump_audio_features": "shards"} | AFTER_FEATURES),
        ("smoothing: {windows: [3, 5]}", {"search_smoothing": 1, "write_submission": 1}),
        # Finished jobs are kept, so that one bad video at the end of a run does not cost a day.
        ("execution: {on_bad_video: skip}", {"index_corpus": 1, "list_refused": 1, "write_submission": 1}),
        ("execution: {limits: {num_frames: 9000000}}", {"list_refused": 1}),
        ("execution: {num_workers: 1}", {}),
        ("execution: {on_bad_image: skip}", {}),
    ],
)
def test_a_changed_setting_re_runs_exactly_what_depends_on_it(finished, overlay, expected):
    shards = len(list((finished.root / "results/features/visual").glob("*.npy")))
    counts = {"shards": shards, "batches": len(_batches(finished))}
    assert 3 <= counts["batches"] < 8
    jobs = {rule: counts.get(count, count) for rule, count in expected.items()}
    assert finished.jobs(*_with(finished, overlay)) == jobs


@pytest.mark.parametrize("split", ["train", "test"])
def test_an_override_only_re_runs_the_batch_of_its_track(finished, split):
    rows = [line.split("\t") for line in (finished.root / "results/corpus/tracks.tsv").read_text().splitlines()]
    track = next(row[0] for row in rows if row[3] == split)
    table = finished.root / "overrides.tsv"
    table.write_text(f"track\tfrom_frame\tto_frame\tperson\n{track}\t2\t5\tabsent\n")
    options = _with(finished, "corpus: {overrides: overrides.tsv}")
    own = {"select_subject": 1, "crop_faces": 1, "dump_visual_features": 1}
    after = AFTER_FEATURES if split == "train" else {"predict_logits": 1, "write_submission": 1}
    assert finished.jobs(*options) == own | after


def test_every_track_has_a_contact_sheet_and_a_place_in_the_index(finished):
    sheets = finished.root / "results/contact_sheets"
    try:
        finished.run("--cores", "2", "contact_sheets", *SMALL)
        tracks = {path.stem for path in (finished.root / "results/subjects").glob("*/*.parquet")}
        assert {path.stem for path in sheets.glob("*.jpg")} == tracks
        page = (sheets / "index.html").read_text()
        assert all(f'src="{track}.jpg"' in page for track in tracks)
        assert {line.split("\t")[0] for line in (sheets / "doubt.tsv").read_text().splitlines()[1:]} == tracks
        assert finished.jobs("contact_sheets", *SMALL) == {}
    finally:
        shutil.rmtree(sheets, ignore_errors=True)


def test_an_edited_module_re_runs_its_rules_and_an_edited_comment_re_runs_none(finished):
    module = finished.root / "frame_expressions/smoothing/track_smoother.py"
    before = module.read_text()
    try:
        module.write_text(before.replace("import numpy", "# a comment\nimport numpy", 1))
        assert finished.jobs(*SMALL) == {}
        module.write_text(before.replace("window_frames / 4", "window_frames / 5"))
        assert module.read_text() != before
        assert finished.jobs(*SMALL) == {"search_smoothing": 1, "write_submission": 1}
    finally:
        module.write_text(before)


def _batches_changed_by(video, split, tracks):
    """One, or two if the new video cuts its batch."""
    splits = {}
    for track in read_tracks(tracks):
        splits.setdefault(track.video, set()).add(track.split)
    before, after = (divide_into_batches(videos, VIDEOS_PER_BATCH) for videos in (splits, splits | {video: {split}}))
    changed = sum(videos != before.get(batch) for batch, videos in after.items())
    assert changed in (1, 2)
    return changed


@pytest.mark.parametrize("split", ["train", "test"])
def test_an_added_video_runs_its_own_batch_and_touches_one_shard(finished, split):
    corpus = finished.root / "results/demo/affwild2"
    video, template = corpus / "batch1/999.mp4", corpus / "test_set_examples/ABAW_Expr_test_set_example.txt"
    annotation = next(corpus.rglob("Train_Set/*.txt"))
    before = template.read_text()
    kept_times = template.stat()
    try:
        shutil.copy(next((corpus / "batch1").glob("*.mp4")), video)
        if split == "train":
            shutil.copy(annotation, annotation.with_name("999.txt"))
        else:
            template.write_text(before + "999/00001.jpg,0\n")
        own = ("extract_frames", "detect_faces", "select_subject", "crop_faces", "resample_audio", "window_audio")
        changed = _batches_changed_by("999", split, finished.root / "results/corpus/tracks.tsv")
        jobs = finished.jobs(*SMALL)
        others = {"dump_visual_features": 1, "dump_audio_features": 1, "index_corpus": 1, "list_refused": 1}
        expected = dict.fromkeys(own, changed) | others
        after = AFTER_FEATURES if split == "train" else {"predict_logits": 1, "write_submission": 1}
        assert jobs == expected | after
    finally:
        video.unlink(missing_ok=True)
        annotation.with_name("999.txt").unlink(missing_ok=True)
        template.write_text(before)
        os.utime(template, ns=(kept_times.st_atime_ns, kept_times.st_mtime_ns))


def test_the_number_of_cores_does_not_change_a_byte_of_what_torch_computes(finished):
    # `python -m tests.survival.same_bytes` runs every other stage on one core as well.
    results, kept = finished.root / "results", finished.root / "results.kept"
    before = finished.digests()
    results.rename(kept)
    try:
        computed = ("stage1", "features", "fusion", "smoothing", "submission")
        shutil.copytree(kept, results, ignore=lambda folder, _: computed if folder == str(kept) else ())
        finished.run("--cores", "1", "submission", *SMALL)
        assert finished.differing(before) == []
    finally:
        shutil.rmtree(results)
        kept.rename(results)
