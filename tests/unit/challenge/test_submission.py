"""The challenge's file and its checker."""

import numpy as np
import pytest

from frame_expressions.challenge import submission
from frame_expressions.challenge.annotations import read_annotation
from frame_expressions.challenge.submission import check_predictions, write_predictions, write_track_files
from frame_expressions.challenge.templates import read_template
from frame_expressions.runtime.errors import InputError

HEADER = "image_location,Neutral,Anger,Disgust,Fear,Happiness,Sadness,Surprise,Other\n"
GOOD = HEADER + "b/00001.jpg,0\nb/00002.jpg,7\na/00001.jpg,0\n"
ROWS = [("b", 1), ("b", 2), ("a", 1)]


@pytest.fixture
def template(tmp_path):
    path = tmp_path / "template.txt"
    path.write_text(HEADER + "b/00001.jpg,0\nb/00002.jpg,0\na/00001.jpg,0\n")
    return path


def test_written_to_the_byte_and_accepted(tmp_path, template):
    path = tmp_path / "predictions.txt"
    write_predictions(path, ROWS, np.array([0, 7, 0], dtype=np.int8))
    assert path.read_bytes() == GOOD.encode()
    found = check_predictions(path, template)
    assert (found["rows"], found["tracks"]) == (3, 2)
    assert [found["class_counts"][name] for name in ("Neutral", "Anger", "Other")] == [2, 0, 1]
    assert check_predictions(path, ["b/00001.jpg", "b/00002.jpg", "a/00001.jpg"]) == found


def test_template_of_the_fifth_edition_without_header(tmp_path, template):
    template.write_bytes(b"b/00001.jpg,\r\nb/00002.jpg,\r\na/00001.jpg,\r\n")
    (tmp_path / "p.txt").write_text(GOOD)
    assert check_predictions(tmp_path / "p.txt", template)["rows"] == 3


def test_rows_and_classes_of_different_number_are_refused(tmp_path):
    with pytest.raises(ValueError, match="shorter"):
        write_predictions(tmp_path / "p.txt", ROWS, np.array([0, 1], dtype=np.int8))
    assert not (tmp_path / "p.txt").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1 is '' instead of the header"),
        (GOOD.replace("Anger,Disgust", "Disgust,Anger"), "line 1 is"),
        (GOOD.removeprefix(HEADER), "line 1 is 'b/00001.jpg,0'"),
        ("\ufeff" + GOOD, "line 1 begins with a byte order mark"),
        (GOOD.replace("\n", "\r\n"), "line 1 ends in a carriage return"),
        (GOOD.replace("7\n", "7\r\n"), "line 3 ends in a carriage return"),
        (GOOD.removesuffix("\n"), "line 4 does not end in a line feed"),
        (GOOD + "\n", "line 5 is blank"),
        (GOOD.replace("b/00002", "\nb/00002"), "line 3 is blank"),
        (GOOD.replace("\n", "\r"), "line 1 ends in a carriage return"),
        (GOOD.replace("image_location,", "image_location, "), "line 1 is"),
        (" " + GOOD, "line 1 is"),
        (HEADER, "line 2 is missing: the template continues with b/00001.jpg"),
        (GOOD.replace(",7", ", 7"), "line 3 holds a space"),
        (GOOD.replace(",7", ",7 "), "line 3 holds a space"),
        (GOOD.replace(",7", ",-1"), "line 3 gives the class '-1'"),
        (GOOD.replace(",7", ",8"), "line 3 gives the class '8'"),
        (GOOD.replace(",7", ",7.0"), r"line 3 gives the class '7\.0'"),
        (GOOD.replace(",7", ","), "line 3 gives the class ''"),
        (GOOD.replace(",7", ",7,0"), "line 3 has 3 fields"),
        (GOOD.replace(",7", "\t7"), "line 3 holds a space"),
        (GOOD.replace(",7", ";7"), "line 3 has 1 fields"),
        (GOOD.replace(",7", ",\u0667"), "line 3 gives the class"),
        (GOOD.replace("b/00002.jpg,7\n", ""), "line 3 gives a/00001.jpg where the template has b/00002.jpg"),
        (GOOD.replace("a/00001.jpg,0\n", ""), "line 4 is missing: the template continues with a/00001.jpg"),
        (HEADER + "b/00002.jpg,0\nb/00001.jpg,7\na/00001.jpg,0\n", "line 2 gives b/00002.jpg where"),
        (GOOD.replace("b/00002", "b/00001"), "line 3 gives b/00001.jpg a second time"),
        (GOOD + "a/00001.jpg,0\n", "line 5 gives a/00001.jpg a second time"),
        (GOOD + "a/00002.jpg,0\n", "line 5 gives a/00002.jpg, which is not in the template"),
    ],
)
def test_first_offence_is_named(tmp_path, template, text, message):
    path = tmp_path / "predictions.txt"
    path.write_bytes(text.encode())
    with pytest.raises(InputError, match=message) as refusal:
        check_predictions(path, template)
    assert str(path) in str(refusal.value) and "\n" not in str(refusal.value)


def test_a_template_with_a_doubled_row_is_no_measure(tmp_path):
    (tmp_path / "p.txt").write_text(GOOD)
    with pytest.raises(InputError, match="lists a row twice"):
        check_predictions(tmp_path / "p.txt", ["b/00001.jpg", "b/00001.jpg"])


def test_bytes_that_are_no_text_are_refused(tmp_path, template):
    (tmp_path / "p.txt").write_bytes(GOOD.encode("utf-16"))
    with pytest.raises(InputError, match=r"p\.txt cannot be read"):
        check_predictions(tmp_path / "p.txt", template)


def test_a_template_of_one_file_per_track(tmp_path):
    folder = tmp_path / "Test_Set"
    folder.mkdir()
    (folder / "b.txt").write_bytes(b"\xef\xbb\xbfNeutral, Anger\r\n-1\r\n-1\r\n\r\n")
    (folder / "a.txt").write_text("Neutral,Anger\n0\n")
    (folder / "a-1.txt").write_text("Neutral,Anger\n0\n")
    (folder / "._a.txt").write_bytes(b"\xff\xfe")
    path = tmp_path / "p.txt"
    path.write_text(HEADER + "a/00001.jpg,0\na-1/00001.jpg,2\nb/00001.jpg,0\nb/00002.jpg,7\n")
    assert check_predictions(path, folder)["rows"] == 4
    path.write_text(HEADER + "a/00001.jpg,0\na-1/00001.jpg,2\nb/00001.jpg,0\n")
    with pytest.raises(InputError, match=r"line 5 is missing: the template continues with b/00002\.jpg"):
        check_predictions(path, folder)


def test_files_per_track_hold_the_same_classes(tmp_path):
    path, folder = tmp_path / "p.txt", tmp_path / "files"
    path.write_text(GOOD)
    assert write_track_files(path, folder) == 2
    names = HEADER.removeprefix("image_location,")
    assert {file.name: file.read_bytes().decode() for file in folder.iterdir()} == {
        "b.txt": names + "0\n7\n",
        "a.txt": names + "0\n",
    }
    assert read_template(folder) == sorted(ROWS)
    assert read_annotation(folder / "b.txt").tolist() == [0, 7]
    assert write_track_files(path, folder) == 2  # again, over its own files
    (folder / "old.txt").touch()
    with pytest.raises(InputError, match=r"holds old\.txt, which is not a track of"):
        write_track_files(path, folder)


def test_files_per_track_need_every_frame_in_order(tmp_path):
    (tmp_path / "p.txt").write_text(GOOD.replace("b/00002", "b/00003"))
    with pytest.raises(InputError, match=r"line 3 gives b/00003\.jpg, but a file per track needs b/00002\.jpg there"):
        write_track_files(tmp_path / "p.txt", tmp_path / "files")
    assert not (tmp_path / "files").exists()


def test_command_line(tmp_path, template, monkeypatch, capsys):
    (tmp_path / "p.txt").write_text(GOOD)
    monkeypatch.setattr("sys.argv", ["submission", str(tmp_path / "p.txt"), str(template)])
    assert submission.main() == 0
    assert '"rows": 3' in capsys.readouterr().out
    (tmp_path / "p.txt").write_text(GOOD.replace(",7", ",-1"))
    assert submission.main() == 1
    assert "line 3 gives the class '-1'" in capsys.readouterr().err


def test_command_line_for_a_file_per_track(tmp_path, template, monkeypatch, capsys):
    (tmp_path / "p.txt").write_text(GOOD)
    arguments = ["submission", str(tmp_path / "p.txt"), "--per-track", str(tmp_path / "files")]
    monkeypatch.setattr("sys.argv", [*arguments, str(template)])
    assert submission.main() == 0
    assert '"track_files": 2' in capsys.readouterr().out
    monkeypatch.setattr("sys.argv", arguments)
    assert submission.main() == 0
    (tmp_path / "p.txt").write_text(GOOD + "a/00001.jpg,0\n")
    assert submission.main() == 1
    assert "line 5 gives a/00001.jpg a second time" in capsys.readouterr().err
    monkeypatch.setattr("sys.argv", arguments[:2])
    with pytest.raises(SystemExit):
        submission.main()
    assert "the template is needed" in capsys.readouterr().err
