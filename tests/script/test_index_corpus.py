"""index_corpus on tiny corpora."""

import dataclasses
import logging

import pytest

from frame_expressions.corpora.tracks import Track, read_tracks
from frame_expressions.runtime.errors import InputError
from workflow_scripts.index_corpus import run

HEADER = "Neutral,Anger,Disgust,Fear,Happiness,Sadness,Surprise,Other\n"


@pytest.fixture
def corpus(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"x")
    (tmp_path / "a.txt").write_text(HEADER + "0\n-1\n4\n4\n")
    (tmp_path / "t.txt").write_text("t/00001.jpg,0\n")
    video = str(tmp_path / "a.mp4")
    return [
        Track("a_left", "a", video, "train", "left", str(tmp_path / "a.txt"), "", "a"),
        Track("c", "a", video, "validation", "auto", "", "Fear", "a"),
        Track("t", "a", video, "test", "auto", "", "", "a"),
    ]


def index(corpus, folder, on_bad_video="stop"):
    output = folder / "corpus" / "tracks.tsv"
    tracks = [dataclasses.asdict(track) for track in corpus]
    run(tracks=tracks, template=folder / "t.txt", on_bad_video=on_bad_video, output=output)
    return output


def test_table_is_written_and_the_splits_are_logged(tmp_path, corpus, caplog):
    with caplog.at_level(logging.INFO):
        assert read_tracks(index(corpus, tmp_path)) == corpus
    lines = [record.getMessage() for record in caplog.records]
    assert any(
        line.startswith("train: 1 tracks, 4 annotation rows, 3 labelled: Neutral 1, Anger 0, Disgust 0, Fear 0, ")
        and "Happiness 2" in line
        for line in lines
    )
    assert any(line.startswith("validation: 1 tracks, 0 ") and line.endswith("one label: Fear 1") for line in lines)
    assert "train has no frame of Anger, Disgust, Fear, Sadness, Surprise, Other" in lines


def test_class_nine_stops_before_anything_is_written(tmp_path, corpus):
    (tmp_path / "a.txt").write_text(HEADER + "0\n9\n")
    with pytest.raises(InputError, match=r"a\.txt line 3 reads '9'"):
        index(corpus, tmp_path)
    assert not (tmp_path / "corpus").exists()


def test_missing_and_empty_videos(tmp_path, corpus):
    (tmp_path / "a.mp4").write_bytes(b"")
    with pytest.raises(InputError, match=r"a\.mp4 is empty"):
        index(corpus, tmp_path)
    assert read_tracks(index(corpus, tmp_path, on_bad_video="skip")) == corpus
    (tmp_path / "a.mp4").unlink()
    with pytest.raises(InputError, match=r"a\.mp4 does not exist"):
        index(corpus, tmp_path, on_bad_video="skip")


def test_template_must_belong_to_the_corpus(tmp_path, corpus):
    (tmp_path / "t.txt").write_text("t/00001.jpg,0\nc/00001.jpg,0\n")
    with pytest.raises(InputError, match="asks for c, which is not a test track"):
        index(corpus, tmp_path)


def test_no_template_and_no_tracks(tmp_path, corpus):
    tracks = [dataclasses.asdict(track) for track in corpus]
    run(tracks=tracks, template=None, on_bad_video="stop", output=tmp_path / "tracks.tsv")
    assert read_tracks(tmp_path / "tracks.tsv") == corpus
    with pytest.raises(InputError, match="no tracks"):
        run(tracks=[], template=None, on_bad_video="stop", output=tmp_path / "none.tsv")
