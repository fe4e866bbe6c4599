"""Aff-Wild2 at its true size, with made-up content: its names, numbers of rows, and numbers of rows of each class."""

import os
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from frame_expressions.artifacts.vocabulary import EXPRESSIONS
from frame_expressions.challenge.annotations import read_annotation
from frame_expressions.challenge.submission import check_predictions, write_predictions
from frame_expressions.challenge.templates import read_template
from frame_expressions.corpora import check_videos as inventory
from frame_expressions.corpora.affwild2 import scan_affwild2
from frame_expressions.corpora.folds import divide
from frame_expressions.media.headers import Header, read_header
from tests.conftest import ROOT
from tests.media import make_video
from workflow_scripts import check_corpus

CLASSES = [name.lower() for name in EXPRESSIONS]
TEST_ROWS = 1_022_655
ANNOTATIONS = "10th ABAW Annotations/EXPR_Recognition_Challenge/{folder}/{track}.txt"
TEMPLATE = "test_set_examples/ABAW_Expr_test_set_example.txt"
FOLDERS = ("batch1/batch1", "batch2", "new_vids")


@pytest.fixture
def true(shared):
    """The list of tracks, with the rows of each one's annotation or part of the template."""
    table = pd.read_csv(shared / "affwild2_expr_tracks.csv", dtype={"track": str, "video": str})
    table["split"] = table["split"].replace("val", "validation")
    is_test = table["split"] == "test"
    rows = table["annotation_rows"].where(~is_test, table["video_frames"])
    one_more = is_test & (is_test.cumsum() <= TEST_ROWS - rows[is_test].sum())
    return table.assign(rows=(rows + one_more).astype(int))


@pytest.fixture
def root(true, tmp_path_factory):
    """The tree as distributed, one tiny clip standing for every video; made once for all tests."""
    root = tmp_path_factory.getbasetemp() / "true_size"
    if not root.exists():
        _make_tree(root, true)
    return root


def _make_tree(root: Path, true: pd.DataFrame) -> None:
    root.mkdir()
    clip = make_video(root / ".clip.mp4", [0, 4, 8], size=(16, 16))
    for number, video in enumerate(true["video"].unique()):
        file = root / FOLDERS[number % 3] / f"{video}{('.mp4', '.avi')[number % 5 == 0]}"
        file.parent.mkdir(parents=True, exist_ok=True)
        os.link(clip, file)
    header = ",".join(EXPRESSIONS) + "\n"
    for row in true[true["split"] != "test"].itertuples():
        folder = {"train": "Train_Set", "validation": "Validation_Set"}[row.split]
        file = root / ANNOTATIONS.format(folder=folder, track=row.track)
        file.parent.mkdir(parents=True, exist_ok=True)
        counts = [int(getattr(row, name)) for name in CLASSES]
        text = "".join(f"{number}\n" * count for number, count in enumerate(counts))
        file.write_text(header + text + "-1\n" * (row.rows - sum(counts)))
    template = root / TEMPLATE
    template.parent.mkdir(parents=True)
    with template.open("w") as handle:
        handle.write("image_location," + header)
        for row in true[true["split"] == "test"].itertuples():
            handle.writelines(f"{row.track}/{frame:05d}.jpg,0\n" for frame in range(1, row.rows + 1))


def test_every_track_and_its_video_is_found(root, true):
    start = time.perf_counter()
    tracks, template, problems = scan_affwild2(root)
    elapsed = time.perf_counter() - start
    print(f"{len(tracks)} tracks indexed in {elapsed:.2f} s")
    assert problems == [] and template == root / TEMPLATE
    found = pd.DataFrame(tracks)
    assert found["split"].value_counts().to_dict() == {"train": 247, "test": 228, "validation": 70}
    assert found.set_index("track")["video"].to_dict() == true.set_index("track")["video"].to_dict()
    assert (found["path"].map(lambda path: Path(path).stem) == found["video"]).all()
    path_of = found.set_index("track")["path"]
    assert {Path(path_of[name]).stem for name in ("102", "102-30-640x360")} == {"102", "102-30-640x360"}
    suffixed = found[found["track"] != found["video"]]
    assert len(suffixed) == 12 and (suffixed["person"] == suffixed["track"].str.rpartition("_")[2]).all()
    assert (found.loc[found["track"] == found["video"], "person"] == "auto").all()
    # Of the seven videos with two tracks, three have them in different splits.
    splits = found.groupby("group")["split"].agg(set)
    assert (found.groupby("group").size() == 2).sum() == 7
    assert splits[splits.map(len) > 1].to_dict() == {
        "135-24-1920x1080": {"train", "validation"},
        "6-30-1920x1080": {"train", "validation"},
        "video49": {"train", "test"},
    }


def test_folds_hold_whole_videos_and_every_class(root, true):
    tracks = scan_affwild2(root)[0]
    labelled = [track for track in tracks if track.split != "test"]
    labels = [read_annotation(Path(track.annotation)) for track in labelled]
    counts = np.stack([np.bincount(rows[rows >= 0], minlength=8) for rows in labels])
    assert sum(map(len, labels)) == 1_102_504 + 453_535
    assert counts.sum(axis=0).tolist() == true[CLASSES].sum().astype(int).tolist()
    start = time.perf_counter()
    part = divide(counts, [track.group for track in labelled], 5)
    print(f"{len(labelled)} tracks divided in {time.perf_counter() - start:.2f} s")
    part_of_group = pd.Series(part).groupby([track.group for track in labelled])
    assert (part_of_group.nunique() == 1).all() and part_of_group.ngroups < len(labelled)
    assert all((counts[part == k].sum(axis=0) > 0).all() for k in range(5))


def test_a_submission_of_a_million_rows_is_written_and_checked(root, tmp_path):
    template, path = root / TEMPLATE, tmp_path / "predictions.txt"
    start = time.perf_counter()
    rows = read_template(template)
    read = time.perf_counter()
    classes = np.random.default_rng(0).integers(0, 8, len(rows)).astype(np.int8)
    write_predictions(path, rows, classes)
    written = time.perf_counter()
    found = check_predictions(path, template)
    end = time.perf_counter()
    print(f"{len(rows)} rows: read {read - start:.1f} s, written {written - read:.1f} s, checked {end - written:.1f} s")
    assert (found["rows"], found["tracks"]) == (TEST_ROWS, 228)
    assert list(found["class_counts"].values()) == np.bincount(classes).tolist()
    assert end - start < 60


def test_the_corpus_is_checked_in_seconds(root, true, tmp_path, monkeypatch):
    frames = dict(zip(true["video"], true["video_frames"], strict=True))

    def header_of_true_length(path: Path) -> Header:
        read_header(path)
        return Header(frames[path.stem], ("0",), may_jump=False)

    monkeypatch.setattr(inventory, "read_header", header_of_true_length)
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    (tmp_path / "images.csv").write_text("image,expression,split\n1.png,0,train\n1.png,0,validation\n")
    (tmp_path / "1.png").touch()
    config["stage1"]["image_sets"] = [{"name": "mine", "layout": "table", "root": str(tmp_path / "images.csv")}]
    config["corpus"] |= {"layout": "affwild2", "root": str(root)}
    start = time.perf_counter()
    check_corpus.run(config=config, folds=["official"], table=tmp_path / "check.tsv")
    print(f"check_corpus took {time.perf_counter() - start:.1f} s")
    problems = pd.read_csv(tmp_path / "check.tsv", sep="\t", keep_default_na=False)
    assert set(problems["severity"]) == {"warning"}
    sentences = problems["problem"].tolist()
    assert "Track 109-30-1280x720 has no labelled frame" in sentences
    assert "The video 6-30-1920x1080 holds 83% of validation's Disgust" in sentences
    assert "The video 82-25-854x480 holds 70% of validation's Anger" in sentences
    assert "The video 121-24-1920x1080 holds 65% of validation's Fear" in sentences
    assert not [sentence for sentence in sentences if "rows, but its video" in sentence]
