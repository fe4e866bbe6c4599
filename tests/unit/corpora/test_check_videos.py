"""The contents and the problems of a corpus."""

import os
import struct
import subprocess
from dataclasses import replace

import imageio_ffmpeg
import numpy as np
import pytest

from frame_expressions.corpora import check_videos
from frame_expressions.corpora.check_videos import count_rows, describe, look_at_labels, look_at_videos
from frame_expressions.corpora.tracks import Track
from frame_expressions.media.headers import Header, read_header
from frame_expressions.media.limits import Limits
from frame_expressions.media.video import read_video
from tests.media import LIMITS, make_flash_and_beep, make_video

HEADER = "Neutral,Anger,Disgust,Fear,Happiness,Sadness,Surprise,Other\n"


def text_of(rows):
    return HEADER + "".join(f"{row}\n" for row in rows)


@pytest.fixture
def corpus(tmp_path):
    """Tracks by name, video, split, rows of the annotation (or the clip's label), and frames of the video."""

    def make(*described):
        tracks = []
        for name, video, split, rows, num_frames in described:
            annotation, label = "", ""
            if isinstance(rows, str):
                label = rows
            elif split != "test":
                annotation = tmp_path / f"{name}.txt"
                annotation.write_text(text_of(rows))
            path = tmp_path / f"{video}.mp4"
            if num_frames and not path.exists():
                stamps = [4 * k for k in range(num_frames)]
                make_video(path, stamps, size=(16, 16), draw=lambda number: np.full((16, 16, 3), number, np.uint8))
            tracks.append(Track(name, video, str(path), split, "auto", str(annotation), label, video))
        return tracks

    return make


@pytest.fixture
def template(tmp_path):
    path = tmp_path / "template.txt"
    path.write_text("".join(f"t/{frame:05d}.jpg,0\n" for frame in range(1, 22)))
    return path


def table_of(tracks, template=None, on_bad_video="stop"):
    return look_at_videos(count_rows(tracks, template), on_bad_video, Limits(**LIMITS))


def sentences(problems, severity):
    return [problem.what for problem in problems if problem.severity == severity and "has no audio" not in problem.what]


def test_rows_and_classes_are_counted(corpus, template):
    tracks = corpus(
        ("a_left", "a", "train", [0, 0, 4, -1], 0), ("b", "b", "validation", "Fear", 5), ("t", "t", "test", [], 0)
    )
    table = count_rows(tracks, template)
    assert table["rows"].tolist()[::2] == [4, 21] and np.isnan(table.at[1, "rows"])
    assert table.loc[0, ["Neutral", "Happiness", "Fear"]].tolist() == [2, 1, 0]
    table, _ = look_at_videos(table, "stop", Limits(**LIMITS))
    assert table["readable"].tolist() == [False, True, False]  # the other videos do not exist yet
    assert table.at[1, "Fear"] == table.at[1, "num_frames"] == 5
    table, _ = table_of(corpus(("c", "b", "test", "Fear", 5)))  # the label of a test clip is not read
    assert table.at[0, "readable"] and table.at[0, "Fear"] == 0
    without = count_rows(tracks, None)
    assert np.isnan(without.at[2, "rows"])


def test_a_template_may_ask_for_some_frames_only(corpus, template):
    template.write_text("".join(f"t/{frame:05d}.jpg,\n" for frame in range(1, 22, 4)))
    table, problems = table_of(corpus(("t", "t", "test", [], 21)), template)
    assert table.at[0, "rows"] == 21 and not sentences(problems, "error") + sentences(problems, "warning")


@pytest.mark.parametrize(
    ("num_rows", "error", "warning"),
    [
        (97, [], []),  # three are usual
        (103, [], []),
        (96, [], ["Track a has 96 rows, but its video has 100 frames (by its packets)"]),
        (104, [], ["Track a has 104 rows, but its video has 100 frames (by its packets)"]),
        (94, ["Track a has 94 rows, but its video has 100 frames (decoded)"], []),
        (106, ["Track a has 106 rows, but its video has 100 frames (decoded)"], []),
    ],
)
def test_odd_counts(corpus, num_rows, error, warning):
    _, problems = table_of(corpus(("a", "a", "train", [0] * num_rows, 100)))
    assert (sentences(problems, "error"), sentences(problems, "warning")) == (error, warning)


def test_a_wrong_header_alone_is_not_a_problem(corpus, monkeypatch):
    wrong = Header(3, ("0",), may_jump=False)
    monkeypatch.setattr(check_videos, "read_header", lambda path: wrong)
    table, problems = table_of(corpus(("a", "a", "train", [0] * 20, 20)))
    assert problems == [] and table.at[0, "num_frames"] == 20


def test_a_video_is_decoded_only_where_its_count_would_stop_the_run(corpus, monkeypatch, tmp_path):
    decoded = tmp_path / "decoded"  # by a child process

    def reading(path, limits):
        decoded.write_text(decoded.read_text() + path.name)
        return read_video(path, limits)

    decoded.write_text("")
    monkeypatch.setattr(check_videos, "read_video", reading)
    table_of(corpus(("a", "a", "train", [0] * 104, 100), ("b", "b", "train", [0] * 96, 97)))
    assert decoded.read_text() == ""
    # A raw stream may have more packets than frames, so decoding decides.
    monkeypatch.setattr(check_videos, "count_packets", lambda path: 120)
    table, problems = table_of(corpus(("a", "a", "train", [0] * 104, 100)))
    assert decoded.read_text() == "a.mp4" and table.at[0, "num_frames"] == 100
    assert sentences(problems, "error") == []


def _make_avi(path, num_seconds, *options):
    source = ["-f", "lavfi", "-i", f"testsrc=s=64x48:d={num_seconds}"]
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", *source, *options, "-c:v", "mjpeg"]
    subprocess.run([*command, str(path)], check=True)


@pytest.mark.parametrize(
    ("num_rows", "error"),
    [(75, None), (62, None), (80, "Track a has 80 rows, but its video has 62 frames (decoded)")],
)
def test_empty_frames_of_an_avi_may_have_rows_or_not(corpus, tmp_path, num_rows, error):
    """AVI has an empty frame for each that repeats the one before, in the middle of the video."""
    (track,) = corpus(("a", "a", "train", [0] * num_rows, 0))
    _make_avi(tmp_path / "a.avi", 3, "-vf", "select='not(between(t,1,1.5))'", "-fps_mode", "vfr")
    assert read_header(tmp_path / "a.avi").num_frames == 75
    table, problems = table_of([replace(track, path=str(tmp_path / "a.avi"))])
    assert table.at[0, "num_frames"] == (75 if num_rows == 75 else 62)
    assert sentences(problems, "error") == ([] if error is None else [error])


def test_frames_that_a_header_counts_and_no_decoder_yields_are_told(corpus, tmp_path):
    (track,) = corpus(("a", "a", "train", [0] * 75, 0))
    _make_avi(tmp_path / "a.avi", 2)
    content = bytearray((tmp_path / "a.avi").read_bytes())
    content[:2048] = content[:2048].replace(struct.pack("<I", 50), struct.pack("<I", 75))
    (tmp_path / "a.avi").write_bytes(content)
    assert read_header(tmp_path / "a.avi").num_frames == 75
    _, problems = table_of([replace(track, path=str(tmp_path / "a.avi"))])
    assert sentences(problems, "error") == ["Track a has 75 rows, but its video has 50 frames (decoded)"]


def test_a_video_that_makes_its_decoder_crash_is_one_problem_among_others(corpus, monkeypatch):
    def crash(path):
        os._exit(3)

    tracks = corpus(("a", "a", "train", [0] * 20, 20))
    monkeypatch.setattr(check_videos, "read_header", crash)
    table, problems = table_of(tracks)
    assert not table.at[0, "readable"] and [problem.severity for problem in problems] == ["error"]
    assert "crashed its decoder (exit status 3)" in problems[0].what


@pytest.mark.parametrize(("on_bad_video", "severity"), [("stop", "error"), ("skip", "warning")])
def test_an_unreadable_video_has_no_labelled_frames(corpus, tmp_path, on_bad_video, severity):
    tracks = corpus(("a_left", "a", "train", [0] * 9, 0), ("a_right", "a", "validation", [1] * 9, 0))
    (tmp_path / "a.mp4").write_bytes(b"damaged")
    table, problems = table_of(tracks, on_bad_video=on_bad_video)
    assert [(problem.severity, problem.track, problem.file) for problem in problems] == [
        (severity, "a_left, a_right", str(tmp_path / "a.mp4"))
    ]
    assert table[check_videos.CLASSES].to_numpy().sum() == 0
    assert "No training frame is labelled" in sentences(look_at_labels(table, ["official"], 5), "error")


def test_only_a_video_without_audio_is_reported(corpus, tmp_path):
    make_flash_and_beep(tmp_path / "loud.mp4", 25, ["-c:v", "mpeg4", "-c:a", "aac"])
    _, problems = table_of(corpus(("loud", "loud", "train", [0] * 50, 50), ("mute", "mute", "train", [0] * 9, 9)))
    assert [problem.what for problem in problems] == [f"The video {tmp_path / 'mute.mp4'} has no audio"]


def test_a_class_that_depends_on_one_video_is_reported(corpus, template):
    rows = [0, 1, 2, 3, 4, 5, 6, 7]
    tracks = corpus(
        ("a", "a", "train", [*rows, 2, 2], 10),
        ("b", "b", "train", rows, 8),
        ("c_left", "c", "train", rows, 17),
        ("c_right", "c", "train", [*rows, 3], 17),
        ("n", "n", "train", [-1] * 9, 9),
        ("v", "v", "validation", [0, 1, 2, 3, 4, 5, 6], 7),
        ("w", "w", "validation", [0, 1, 2, 3, 4, 5, 6], 7),
        ("x", "x", "validation", [0, 1, 2, 3, 4, 5, 6], 7),
        ("t", "t", "test", [], 21),
    )
    table, _ = table_of(tracks, template)
    problems = look_at_labels(table, ["official"], 3)
    # Of Disgust 3 of 6 frames are in a. Of each class c has 2 of 4 frames, of Fear 3 of 5, of Disgust 2 of 6.
    shares = {"Neutral": 50, "Anger": 50, "Fear": 60, "Happiness": 50, "Sadness": 50, "Surprise": 50, "Other": 50}
    assert [(problem.severity, problem.what, problem.track) for problem in problems] == [
        ("warning", "Track n has no labelled frame", "n"),
        *(
            ("warning", f"The video {video} holds {share}% of train's {name}", tracks)
            for name, video, share, tracks in [
                (name, "a", 50, "a") if name == "Disgust" else (name, "c", shares[name], "c_left, c_right")
                for name in check_videos.CLASSES
            ]
        ),
        ("warning", "validation has no labelled frame of Other", ""),
    ]
    text = describe(table)
    assert "largest video in validation" in text and "60%" in text
    there = {line.split()[0]: line.split()[1:] for line in text.splitlines()[2:5]}
    assert there == {
        "train": ["5", "4", "4", "1", "44", "35"],
        "validation": ["3", "3", "3", "0", "21", "21"],
        "test": ["1", "1", "1", "0", "21", "0"],
    }
    assert "two splits" not in text


def test_what_cannot_be_trained_or_predicted_is_an_error(corpus, template):
    trained = corpus(("a", "a", "train", [0] * 9, 9), ("b", "b", "train", [1] * 9, 9))
    table, _ = table_of(trained)
    assert sentences(look_at_labels(table, ["official"], 5), "error") == [
        "No test track has a frame to predict",
        "No validation frame is labelled",
    ]
    assert sentences(look_at_labels(table, ["cv0", "cv1", "cv2"], 3), "error") == [
        "No test track has a frame to predict",
        "2 labelled videos cannot be divided into 3 parts",
    ]
    validated = corpus(("v", "v", "validation", [0] * 9, 9), ("t", "t", "test", [], 21))
    table, _ = table_of(validated, template)
    assert sentences(look_at_labels(table, ["official"], 5), "error") == ["No training frame is labelled"]
    assert sentences(look_at_labels(table, ["imported"], 5), "error") == []


def test_two_splits_of_one_video_are_shown(corpus):
    table, _ = table_of(corpus(("a_left", "a", "train", [0] * 9, 9), ("a_right", "a", "validation", [0] * 9, 9)))
    assert describe(table).endswith("Videos with tracks in two splits, kept together in every fold: a")
