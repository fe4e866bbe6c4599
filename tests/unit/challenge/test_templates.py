"""Templates of the test set, editions 5 to 10."""

import pytest

from frame_expressions.challenge.templates import image_location, read_template, template_tracks
from frame_expressions.runtime.errors import InputError

HEADER = "image_location,Neutral,Anger,Disgust,Fear,Happiness,Sadness,Surprise,Other\n"


def template(folder, text):
    (folder / "t.txt").write_bytes(text.encode())
    return folder / "t.txt"


@pytest.mark.parametrize("ending", [",", ",0", "", ",0,0"])
@pytest.mark.parametrize("header", [HEADER, ""])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_every_edition(tmp_path, ending, header, newline):
    rows = [("14-30-1920x1080", 1), ("14-30-1920x1080", 2), ("video2_left", 1)]
    text = header + "".join(f"{image_location(*row)}{ending}\n" for row in rows)
    path = template(tmp_path, text.replace("\n", newline))
    assert read_template(path) == rows
    assert template_tracks(path) == {"14-30-1920x1080": 2, "video2_left": 1}


def test_order_is_the_files_and_long_videos_pass_five_digits(tmp_path):
    path = template(tmp_path, "b/99999.jpg,0\nb/100000.jpg,0\na/00001.jpg,0\n\n")
    assert read_template(path) == [("b", 99999), ("b", 100000), ("a", 1)]
    assert list(template_tracks(path)) == ["b", "a"]
    assert [image_location("a", 7), image_location("a", 100000)] == ["a/00007.jpg", "a/100000.jpg"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEADER + "a/00001.jpg,0\na/1.jpg,0\n", "line 3 reads 'a/1.jpg,0'"),
        (HEADER + "a/000001.jpg,0\n", "line 2"),
        (HEADER + "a/00001.jpg,0\n\na/00002.jpg,0\n", "line 3 reads ''"),
        ("7\n8\n", "line 1 reads '7'"),
        ("a/00001.jpg,0\na/00001.jpg,0\n", "lists a/00001.jpg twice"),
        ("a/00000.jpg,0\n", "counted from 1"),
        (HEADER, "has no rows"),
        (HEADER + "../00001.jpg,0\n", "line 2 reads '../00001.jpg,0' instead of <track>"),
        ("a/../../00001.jpg,0\n", "line 1 reads"),
        ("/00001.jpg,0\n", "line 1 reads '/00001.jpg,0'"),
        (".a/00001.jpg,0\n", "line 1 reads"),
        ("a{b}/00001.jpg,0\n", "line 1 reads"),
        ("a/" + "1" * 5000 + ".jpg\n", "line 1 reads 'a/1111"),
        ("a/\N{ARABIC-INDIC DIGIT ONE}0001.jpg\n", "line 1 reads"),
    ],
)
def test_bad_templates_are_refused_with_their_line(tmp_path, text, message):
    with pytest.raises(InputError, match=message) as refusal:
        read_template(template(tmp_path, text))
    assert "\n" not in str(refusal.value)


def test_something_else_is_no_list_of_tracks(tmp_path):
    with pytest.raises(InputError, match="line 1 reads '7'"):
        template_tracks(template(tmp_path, "7\n8\n"))
    with pytest.raises(InputError, match="cannot be read"):
        template_tracks(tmp_path / "nowhere.txt")


def test_a_folder_of_track_files_is_a_template(tmp_path):
    names = HEADER.removeprefix("image_location,")
    for track, count in {"video2_left": 2, "a-1": 1, "a": 3}.items():
        (tmp_path / f"{track}.txt").write_text(names + "0\n" * count)
    (tmp_path / "._a.txt").write_bytes(b"\x00\xff")
    (tmp_path / "readme.md").touch()
    assert template_tracks(tmp_path) == {"a": 3, "a-1": 1, "video2_left": 2}
    expected = [("a", 1), ("a", 2), ("a", 3), ("a-1", 1), ("video2_left", 1), ("video2_left", 2)]
    assert read_template(tmp_path) == expected


def test_a_track_may_be_called_like_the_header(tmp_path):
    path = template(tmp_path, HEADER + "image_location/00001.jpg,0\n")
    assert read_template(path) == [("image_location", 1)] and template_tracks(path) == {"image_location": 1}


def test_names_that_no_track_can_have_are_not_listed(tmp_path):
    with pytest.raises(InputError, match=r"line 1 reads '\.\./00001"):
        template_tracks(template(tmp_path, "../00001.jpg,0\n"))
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/..x{y}.txt").write_text("")
    (tmp_path / "folder/a b.txt").write_text(HEADER.removeprefix("image_location,") + "0\n")
    for read in (read_template, template_tracks):
        with pytest.raises(InputError, match=r"folder holds 'a b\.txt', which cannot be a track's name"):
            read(tmp_path / "folder")


def test_a_folder_without_track_files_is_refused(tmp_path):
    for read in (read_template, template_tracks):
        with pytest.raises(InputError, match=r"is a folder without <track>\.txt"):
            read(tmp_path)
