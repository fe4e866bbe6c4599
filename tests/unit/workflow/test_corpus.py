from pathlib import Path

import pytest
import yaml

from frame_expressions.corpora.tracks import Track
from frame_expressions.demo.plan import RECORD, TEMPLATE
from frame_expressions.runtime.errors import InputError
from frame_expressions.workflow.corpus import DEMO_ROOT, Corpus, demo_files, label_rows, read_corpus
from frame_expressions.workflow.input_files import detector_files, encoder_files, image_set_files
from tests.conftest import ROOT


@pytest.fixture
def config():
    return yaml.safe_load((ROOT / "config.yaml").read_text())


def _track(name, video, split, annotation="", label=""):
    return Track(name, video, f"videos/{video}.mp4", split, "auto", annotation, label, video)


@pytest.fixture
def corpus():
    tracks = [
        _track("a", "a", "train", annotation="a.txt"),
        _track("b_left", "b", "train", annotation="b_left.txt"),
        _track("b_right", "b", "validation", label="Fear"),
        _track("c", "c", "test"),
    ]
    return Corpus.divided(tracks, None, num_shards=1, videos_per_batch=1000)


def test_the_whole_corpus(corpus):
    assert corpus.paths == {video: f"videos/{video}.mp4" for video in "abc"}
    assert corpus.annotations == ["a.txt", "b_left.txt"]
    assert corpus.track("b_right").video == "b"
    assert [track.track for track in corpus.split("test")] == ["c"]
    assert [track.track for track in corpus.labelled_tracks] == ["a", "b_left", "b_right"]
    assert corpus.group_of == {"a": "a", "b_left": "b", "b_right": "b"}
    assert corpus.folders("audio") == [f"results/audio/{video}" for video in "abc"]


def test_a_video_a_batch_and_a_shard_have_tracks_paths_and_folders(corpus):
    video = corpus.video("b")
    assert (video.path, video.folder("crops")) == ("videos/b.mp4", "results/crops/b")
    assert [track.track for track in video.tracks] == ["b_left", "b_right"]
    batch = corpus.batch("b")
    assert (batch.names, batch.paths, batch.folder("crops")) == (["b"], ["videos/b.mp4"], "results/crops/b")
    assert list(batch.tracks) == list(video.tracks)
    shard = corpus.shard("train-000")
    assert (shard.names, shard.videos) == (["a", "b_left"], ["a", "b"])
    assert shard.folders("crops") == ["results/crops/a", "results/crops/b"]
    for look_up in (corpus.video, corpus.batch, corpus.shard, corpus.track):
        with pytest.raises(KeyError):
            look_up("unknown")


def test_rows_for_scripts(corpus):
    assert corpus.person_rows("a") == [{"track": "a", "video": "a", "person": "auto", "overrides": []}]
    assert [row["track"] for row in corpus.person_rows("b")] == ["b_left", "b_right"]
    rows = label_rows(corpus.split("validation"))
    assert [(row["track"], row["label"]) for row in rows] == [("b_right", "Fear")]
    assert "path" not in rows[0]  # a moved video trains nothing again


def test_shards_of_test_tracks_are_not_among_those_that_train(corpus):
    files = corpus.shard_files("visual", "npy", ["train", "validation"])
    assert files == ["results/features/visual/train-000.npy", "results/features/visual/validation-000.npy"]


def test_the_demonstration_is_known_before_it_is_made(config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    corpus = read_corpus(config)
    splits = [track.split for track in corpus.tracks]
    assert (splits.count("train"), splits.count("validation"), splits.count("test")) == (12, 6, 6)
    assert {path.suffix for path in demo_files(config)} >= {".mp4", ".avi", ".txt"}
    assert Path(corpus.template) in demo_files(config)
    two = [track for track in corpus.tracks if track.person != "auto"]
    assert {track.person for track in two} == {"left", "right"} and len({track.group for track in two}) == 1


def _made(config):
    """Leave the planned files, empty but for a template with rows of its tracks, and the record of them."""
    corpus = read_corpus(config)
    for path in demo_files(config):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    tracks = [track.track for track in corpus.split("test")]
    Path(corpus.template).write_text("image_location\n" + "".join(f"{track}/00001.jpg,0\n" for track in tracks))
    paths = [str(path.relative_to(DEMO_ROOT)) for path in demo_files(config)]
    (DEMO_ROOT / RECORD).write_text("\n".join(paths) + "\n")
    return {(track.track, track.split) for track in corpus.tracks}


def test_a_template_that_is_about_to_be_replaced_is_not_checked(config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    demo = config["demo"]["videos"]
    usual = demo["train_tracks"]
    demo["train_tracks"] = usual + 20  # so that the test tracks have other names
    _made(config)
    assert read_corpus(config).checked_template == DEMO_ROOT / TEMPLATE
    demo["train_tracks"] = usual
    corpus = read_corpus(config)
    assert corpus.checked_template is None and corpus.template == str(DEMO_ROOT / TEMPLATE)
    for annotation in corpus.annotations:
        Path(annotation).unlink(missing_ok=True)
    corpus.check("skip")


@pytest.mark.parametrize(
    ("absent", "folds", "refused"),
    [
        ("train", ["official"], True),
        ("train", ["imported"], False),
        ("validation", ["imported"], True),
        ("validation", ["cv0", "cv1", "cv2"], False),
        ("test", ["cv0", "cv1", "cv2"], True),
    ],
)
def test_splits_that_a_submission_needs(absent, folds, refused):
    tracks = [_track(split[0], split[0], split) for split in ("train", "validation", "test") if split != absent]
    corpus = Corpus.divided(tracks, None, num_shards=1, videos_per_batch=1)
    if not refused:
        corpus.check_splits(folds)
        return
    with pytest.raises(InputError, match=rf"has no {absent} track.*; add the files or rows of this split"):
        corpus.check_splits(folds)


@pytest.mark.parametrize(("first", "second"), [(20, 5), (5, 20)])
def test_what_another_plan_left_is_not_in_the_corpus(config, tmp_path, monkeypatch, first, second):
    monkeypatch.chdir(tmp_path)
    config["demo"]["videos"]["train_tracks"] = second
    expected = {(track.track, track.split) for track in read_corpus(config).tracks}
    config["demo"]["videos"]["train_tracks"] = first
    assert _made(config) != expected
    added = DEMO_ROOT / "batch1/999.mp4"
    added.touch()
    with (DEMO_ROOT / TEMPLATE).open("a") as template:
        template.write("999/00001.jpg,0\n")
    config["demo"]["videos"]["train_tracks"] = second
    assert {(track.track, track.split) for track in read_corpus(config).tracks} == expected | {("999", "test")}


def test_a_layout_without_its_folder_says_what_it_needs(config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config["corpus"]["layout"] = "affwild2"
    with pytest.raises(InputError, match=r"corpus\.root is not set, .*; set it"):
        read_corpus(config)
    config["corpus"]["root"] = "Aff-Wild2"
    with pytest.raises(InputError, match=r"corpus\.root: Aff-Wild2 does not exist; correct it"):
        read_corpus(config)
    config["corpus"] |= {"layout": "table", "table": "lost.tsv"}
    with pytest.raises(InputError, match=r"corpus\.table: lost\.tsv does not exist"):
        read_corpus(config)


def test_a_given_table_of_folds_is_checked_while_the_corpus_is_read(config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tracks = [track.track for track in read_corpus(config).labelled_tracks]
    config["cross_validation"]["paper"]["folds"] = "mine.tsv"
    rows = [f"{track}\t{number % 5 + 1}\n" for number, track in enumerate(tracks)]
    Path("mine.tsv").write_text("track\tfold\n" + "".join(rows))
    read_corpus(config)
    Path("mine.tsv").write_text("track\tfold\n" + "".join(rows[:-1]))
    with pytest.raises(InputError, match=f"table of folds mine.tsv lacks the labelled track {tracks[-1]}"):
        read_corpus(config)


def test_given_weights_are_read_where_they_lie(config, tmp_path):
    names = ["model.safetensors", "config.json", "preprocessor_config.json"]
    assert encoder_files(config, "visual") == [f"results/models/visual/{name}" for name in names[:2]]
    assert encoder_files(config, "audio") == [f"results/models/audio/{name}" for name in names]
    config["encoders"]["audio"] |= {"source": "path", "path": str(tmp_path)}
    assert encoder_files(config, "audio") == [f"{tmp_path}/{name}" for name in names[:2]]
    (tmp_path / "preprocessor_config.json").touch()
    assert encoder_files(config, "audio") == [f"{tmp_path}/{name}" for name in names]
    assert detector_files(config) == []
    config["detector"]["name"] = "insightface"
    assert detector_files(config) == ["results/models/insightface/models/buffalo_l.json"]
    config["detector"]["insightface"]["model"] = "scrfd.onnx"
    assert detector_files(config) == ["scrfd.onnx"]


def test_image_lists_of_every_layout(config, tmp_path):
    (tmp_path / "repack" / "train").mkdir(parents=True)
    layouts = ("affectnet_csv", "affectnet_npy", "rafdb", "rafdb", "table")
    roots = ("affectnet", "affectnet", "rafdb", str(tmp_path / "repack"), "faces.csv")
    sets = [{"name": "x", "layout": layout, "root": root} for layout, root in zip(layouts, roots, strict=True)]
    config["stage1"]["image_sets"] = sets
    assert image_set_files(config) == [
        "affectnet/Manually_Annotated_file_lists/training.csv",
        "affectnet/Manually_Annotated_file_lists/validation.csv",
        "affectnet/train_set/annotations",
        "affectnet/val_set/annotations",
        "rafdb/EmoLabel/list_patition_label.txt",
        str(tmp_path / "repack" / "train"),
        str(tmp_path / "repack" / "test"),
        "faces.csv",
    ]
