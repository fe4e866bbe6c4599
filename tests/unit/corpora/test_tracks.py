"""Tracks, their table, and the shards they fall into."""

import dataclasses

import pytest

from frame_expressions.artifacts.file_names import LONGEST_NAME
from frame_expressions.corpora.tracks import Track, check_tracks, read_tracks, write_tracks
from frame_expressions.runtime.errors import InputError


def a_track(name: str, **changes: str) -> Track:
    track = Track(name, name, f"data/{name}.mp4", "train", "auto", "", "", name)
    return dataclasses.replace(track, **changes)


def test_table_round_trip_keeps_order_and_odd_paths(tmp_path):
    tracks = [a_track("b", path="a folder/te[s]t ' \" .flv", label="Anger"), a_track("a", annotation="x/a.txt")]
    write_tracks(tracks, tmp_path / "tracks.tsv")
    assert read_tracks(tmp_path / "tracks.tsv") == tracks
    header = (tmp_path / "tracks.tsv").read_text().splitlines()[0]
    assert header == "track\tvideo\tpath\tsplit\tperson\tannotation\tlabel\tgroup"


def test_another_table_is_refused(tmp_path):
    for content in (b"track\tvideo\na\ta\n", b"\xff", b'"a"b\n', b"track\t" + b"a" * 200_000):
        (tmp_path / "tracks.tsv").write_bytes(content)
        with pytest.raises(
            InputError,
            match=r"tracks\.tsv (is cut off|cannot be read as|is not a table with).*; delete it and run index_corpus",
        ):
            read_tracks(tmp_path / "tracks.tsv")


@pytest.mark.parametrize("name", ["", "-a", ".a", "a b", "a/b", "a[s]", "é", "a\n"])
def test_names_that_cannot_be_file_names_are_refused(name):
    with pytest.raises(InputError, match="rename the file"):
        check_tracks([a_track("a", track=name)])
    with pytest.raises(InputError, match="table layout"):
        check_tracks([a_track("a", video=name)])


def test_names_leave_room_for_what_stages_put_around_them():
    check_tracks([a_track("a" * LONGEST_NAME)])
    with pytest.raises(InputError, match=f"at most {LONGEST_NAME}"):
        check_tracks([a_track("a" * (LONGEST_NAME + 1))])


@pytest.mark.parametrize("place", ["path", "annotation"])
@pytest.mark.parametrize(
    ("path", "fault"),
    [
        ("x/{track}.mp4", "has a brace"),
        ("x/a\nb.mp4", "has a line break"),
        ("x/\x1b[31m.mp4", "a control character"),
        ("x/\udcff.mp4", "bytes that are not UTF-8"),
    ],
)
def test_paths_that_snakemake_or_a_terminal_would_read_otherwise_are_refused(place, path, fault):
    with pytest.raises(InputError, match=fault) as refusal:
        check_tracks([a_track("a", **{place: path})])
    assert str(refusal.value).isprintable()


@pytest.mark.parametrize(
    "name", ["a\u202fb", "a\u00a0b\u3000", "\u200ea\u00ad", "👩\u200d💻", "\U0001fae9", "\U000e0fff"]
)
def test_paths_hold_any_other_character(name):
    check_tracks([a_track("a", path=f"x/{name}.mp4")])


@pytest.mark.parametrize("name", ["6-30-1920x1080_right", "102", "video45_3", "28-30-1280x720-2", "a.b"])
def test_names_of_the_challenge_are_taken(name):
    check_tracks([a_track(name)])


def test_doubled_tracks_and_videos_are_refused():
    with pytest.raises(InputError, match=r"a .* is listed twice"):
        check_tracks([a_track("a"), a_track("a")])
    with pytest.raises(InputError, match=r"x/a\.mp4 and y/a\.avi"):
        check_tracks([a_track("p", video="a", path="x/a.mp4"), a_track("q", video="a", path="y/a.avi")])
    with pytest.raises(InputError, match="both a and b"):
        check_tracks([a_track("p", video="a", path="a.mp4"), a_track("q", video="b", path="a.mp4")])
