"""check_corpus on a small corpus in the organisers' layout."""

import logging

import pandas as pd
import pytest
import yaml

from frame_expressions.runtime.errors import InputError
from tests.conftest import ROOT
from tests.media import make_video
from workflow_scripts.check_corpus import run

HEADER = "Neutral,Anger,Disgust,Fear,Happiness,Sadness,Surprise,Other\n"
ANNOTATIONS = "Annotations/EXPR_Recognition_Challenge"


@pytest.fixture
def corpus(tmp_path):
    """A corpus without an error: its folder and configuration."""
    root = tmp_path / "affwild2"
    for name, folder in {"1": "Train_Set", "2": "Validation_Set", "3": None}.items():
        (root / "batch1").mkdir(parents=True, exist_ok=True)
        make_video(root / f"batch1/{name}.mp4", [4 * k for k in range(9)], size=(16, 16))
        if folder:
            annotation = root / ANNOTATIONS / folder / f"{name}.txt"
            annotation.parent.mkdir(parents=True)
            annotation.write_text(HEADER + "0\n" * 9)
    (root / "ABAW_Expr_test_set_sample.txt").write_text("".join(f"3/{k:05d}.jpg,0\n" for k in range(1, 11)))
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    config["corpus"] |= {"layout": "affwild2", "root": str(root)}
    (tmp_path / "images.csv").write_text("image,expression,split\n1.png,0,train\n2.png,0,validation\n")
    for name in ("1.png", "2.png"):
        (tmp_path / name).touch()
    config["stage1"]["image_sets"] = [{"name": "mine", "layout": "table", "root": str(tmp_path / "images.csv")}]
    return root, config


def check(config, folder):
    """The table of problems, and the sentence with which the check failed, if it did."""
    table, sentence = folder / "corpus" / "check.tsv", ""
    try:
        run(config=config, folds=["official"], table=table)
    except InputError as error:
        sentence = str(error)
    return pd.read_csv(table, sep="\t", dtype=str, keep_default_na=False), sentence


def test_a_corpus_with_warnings_only_can_run(corpus, tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        table, sentence = check(corpus[1], tmp_path)
    assert list(table.columns) == ["severity", "track", "file", "problem", "what to do"]
    assert sentence == "" and set(table["severity"]) == {"warning"}
    assert caplog.records[-1].getMessage() == f"Found 3 tracks, 0 errors, {len(table)} warnings"
    first = (tmp_path / "corpus/check.tsv").read_bytes()
    check(corpus[1], tmp_path)
    assert (tmp_path / "corpus/check.tsv").read_bytes() == first


@pytest.mark.parametrize(("on_bad_image", "severity"), [("stop", "error"), ("skip", "warning")])
def test_missing_images_are_counted_by_set_as_the_setting_says(corpus, tmp_path, on_bad_image, severity):
    config = corpus[1]
    config["execution"]["on_bad_image"] = on_bad_image
    for name in ("1.png", "2.png"):
        (tmp_path / name).unlink()
    table, sentence = check(config, tmp_path)
    (found,) = table[table["problem"].str.contains("do not exist")].to_dict("records")
    assert found["severity"] == severity
    assert found["problem"].startswith(f"2 of the 2 images of {tmp_path}/images.csv do not exist, the first is")
    assert sentence.startswith("submission cannot run because of 1 errors") == (on_bad_image == "stop")


def test_every_fault_is_in_the_table_once_errors_first(corpus, tmp_path):
    root, config = corpus
    (root / "batch1/2.mp4").write_bytes(b"")
    (root / ANNOTATIONS / "Train_Set/1.txt").write_text(HEADER + "0\n9\n")
    (root / ANNOTATIONS / "Train_Set/lost.txt").write_text(HEADER + "0\n")
    (root / ANNOTATIONS / "Train_Set/lost_left.txt").write_text(HEADER + "0\n")
    with (root / "ABAW_Expr_test_set_sample.txt").open("a") as template:
        template.write("gone/00001.jpg,0\n")
    config["stage1"]["image_sets"][0]["root"] = "nowhere.csv"
    table, sentence = check(config, tmp_path)
    errors = table[table["severity"] == "error"]
    assert sentence.startswith(f"submission cannot run because of {len(errors)} errors")
    assert table["severity"].is_monotonic_increasing
    found = [
        (track, "|".join(text.split()[:4])) for track, text in zip(errors["track"], errors["problem"], strict=True)
    ]
    assert sorted(found) == sorted(
        [
            ("lost", "Track|lost|(train)|has"),
            ("lost_left", "Track|lost_left|(train)|has"),
            ("gone", "Track|gone|(test)|has"),
            ("", "stage1.image_sets:|nowhere.csv|does|not"),
            ("1", f"The|annotation|{root / ANNOTATIONS / 'Train_Set/1.txt'}|line"),
            ("", f"The|video|{root / 'batch1/2.mp4'}|is"),
            ("", "No|training|frame|is"),
            ("", "No|validation|frame|is"),
        ]
    )
    assert (errors["what to do"] != "").all()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("path,label\n1.png,0\n", "line 1 has the columns path, label"),
        ("image,expression\n1.png,0\n", "has a single image of Neutral"),
        ("image,expression,split\n1.png,0,train\n", "no image is in the split validation"),
        ("image,expression\n1.png,0\n3.png,0\n", "1 of the 2 images"),
    ],
)
def test_a_list_of_images_with_a_fault_is_an_error_unless_stage1_is_skipped(corpus, tmp_path, text, said):
    (tmp_path / "images.csv").write_text(text)
    table, sentence = check(corpus[1], tmp_path)
    assert sentence.startswith("submission cannot run because of 1 errors") and said in table.at[0, "problem"]
    corpus[1]["imported"]["backbone"] = str(tmp_path / "images.csv")
    assert check(corpus[1], tmp_path)[1] == ""


def test_a_skipped_video_is_a_warning(corpus, tmp_path):
    root, config = corpus
    (root / "batch1/3.mp4").write_bytes(b"damaged")
    table, sentence = check(config, tmp_path)
    assert sentence and table.loc[0, ["severity", "track"]].tolist() == ["error", "3"]
    config["execution"]["on_bad_video"] = "skip"
    table, sentence = check(config, tmp_path)
    assert sentence == ""
    assert table[table["problem"].str.contains("3.mp4 cannot be opened")]["severity"].tolist() == ["warning"]


def test_a_link_to_nowhere_is_an_error(corpus, tmp_path):
    root, config = corpus
    (root / "batch1/3.mp4").unlink()
    (root / "batch1/3.mp4").symlink_to(tmp_path / "disk/3.mp4")
    table, sentence = check(config, tmp_path)
    assert sentence.startswith("submission cannot run because of 1 errors")
    assert table.at[0, "problem"] == f"The video {root / 'batch1/3.mp4'} does not exist"


def test_a_folder_that_is_not_there(corpus, tmp_path):
    corpus[1]["corpus"]["root"] = str(tmp_path / "nowhere")
    table, sentence = check(corpus[1], tmp_path)
    assert sentence.startswith("submission cannot run because of 1 errors") and len(table) == 1
    assert table.at[0, "problem"] == f"corpus.root: {tmp_path / 'nowhere'} does not exist"


def test_the_demonstration_can_run_before_it_is_made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    table, sentence = check(config, tmp_path)
    assert sentence == "" and table.empty
