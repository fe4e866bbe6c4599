"""A table of persons from elsewhere, as the rows of an overrides table."""

import csv
import subprocess
import sys

import pytest

from frame_expressions.corpora.overrides import read_overrides
from frame_expressions.corpora.person_table import convert, read_person_table
from frame_expressions.corpora.tracks import Track, person_by_suffix, write_tracks
from frame_expressions.runtime.errors import InputError
from tests.conftest import ROOT


def track(name, video=None, split="train"):
    video = video or name
    return Track(name, video, f"{video}.mp4", split, person_by_suffix(name, video), "", "", video)


TRACKS = [track("a"), track("b"), track("c_left", "c"), track("c_right", "c"), track("d_left", "d"), track("e")]


def table(tmp_path, text, name="persons.csv", encoding="utf-8-sig"):
    path = tmp_path / name
    path.write_text(text, encoding=encoding)
    return path


def converted(tmp_path, text, **settings):
    return convert(read_person_table(table(tmp_path, text), **settings), TRACKS)


def test_the_authors_table_of_videos_means_the_tracked_person_by_largest(tmp_path):
    found = converted(
        tmp_path,
        "video_id,expr_person_count,strategy\n"
        "a,1,largest\nb,1,top\nc,2,\nd,1,id_keep\ne,1,second_right\nabsent-30,1,left\n",
    )
    # Track a follows its main person anyway; d_left would follow the person on the left.
    assert found.rows == [("b", "top"), ("d_left", "auto"), ("e", "second_right")]
    assert (found.num_empty, found.num_unchanged) == (1, 1)
    (warning,) = found.warnings
    assert warning.endswith("persons.csv line 7 names the video 'absent-30', which the corpus does not have")


def test_the_authors_table_of_test_tracks_means_the_largest_face_of_each_frame(tmp_path):
    found = converted(
        tmp_path,
        "txtid,videoid,strategy,,OK\na,a,largest,,1\nc_left,c,second_right,,1\nc_right,c,right,,1\nb,b,id_keep,,\nc,c,left,,1\n",
    )
    assert found.rows == [("a", "largest"), ("c_left", "second_right")]
    assert (found.num_empty, found.num_unchanged) == (0, 2)
    (warning,) = found.warnings
    assert warning.endswith("line 6 names the track 'c', which the corpus does not have")


def test_what_largest_means_can_be_chosen(tmp_path):
    assert converted(tmp_path, "video_id,strategy\na,largest\n", largest="largest").rows == [("a", "largest")]
    assert converted(tmp_path, "txtid,strategy\nc_left,largest\n", largest="auto").rows == [("c_left", "auto")]


@pytest.mark.parametrize("separator", [",", "\t", ";"])
@pytest.mark.parametrize("person", ["strategy", "person"])
@pytest.mark.parametrize("name", ["track", "video"])
def test_other_names_of_columns_in_any_order(tmp_path, separator, person, name):
    """There, largest is the project's own word: the largest face of each frame."""
    rows = [[person, "remark", name], ["left", "x", "a"], ["largest", "", "b"], ["person@2", "", "e"]]
    text = "".join(separator.join(row) + "\r\n" for row in rows)
    assert converted(tmp_path, text).rows == [("a", "left"), ("b", "largest"), ("e", "person@2")]


def test_the_person_of_a_video_is_that_of_each_of_its_tracks(tmp_path):
    found = converted(tmp_path, "video,strategy\nc,right\n")
    assert found.rows == [("c_left", "right")] and found.num_unchanged == 1
    (warning,) = found.warnings
    assert warning.endswith("line 2 gives 'right' to the 2 tracks of the video 'c': c_left, c_right")


def test_a_track_column_wins_over_a_video_column(tmp_path):
    assert converted(tmp_path, "video,track,strategy\nc,c_left,top\n").rows == [("c_left", "top")]


def test_all_unknown_strategies_are_said_at_once_with_their_lines(tmp_path):
    text = "video_id,strategy\na,leftest\nb,left\ne,size_filter\n"
    sentence = r"persons\.csv line 2 has the strategy 'leftest', .*persons\.csv line 4 has the strategy 'size_filter'"
    with pytest.raises(InputError, match=sentence) as caught:
        converted(tmp_path, text)
    assert "choose one of id_keep, auto, largest, left, right, top, second_left, second_right" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("name,strategy\na,left\n", "line 1 has no column track, txtid, video or video_id"),
        ("track,who\na,left\n", "line 1 has no column strategy or person"),
        ("track,strategy,person\na,left,top\n", "line 1 has both strategy and person; keep one of them"),
        ("track,strategy\na,left,top\n", "line 2 has more fields than the header"),
        ("track,strategy\na,left\na,top\n", "line 3 names the track 'a' again; keep one"),
        ("track,strategy\n,left\n", "line 2 names no track"),
        ("", "line 1 has no column track"),
    ],
)
def test_what_does_not_fit_is_said_with_its_line(tmp_path, text, sentence):
    with pytest.raises(InputError, match=sentence):
        converted(tmp_path, text)


def test_a_file_in_another_encoding_or_that_is_missing_is_named(tmp_path):
    with pytest.raises(InputError, match=r"persons\.csv cannot be read .*; give a UTF-8 file"):
        read_person_table(table(tmp_path, "track,strategy\nü,left\n", encoding="latin-1"))
    with pytest.raises(InputError, match=r"none\.csv cannot be read"):
        read_person_table(tmp_path / "none.csv")


def run(folder, *arguments):
    command = [sys.executable, "-m", "frame_expressions.corpora.person_table", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_the_command_writes_an_overrides_table_that_the_corpus_takes(tmp_path):
    write_tracks(TRACKS, tmp_path / "tracks.tsv")
    videos = table(tmp_path, "video_id,expr_person_count,strategy\na,1,left\nc,2,\nz,1,top\n")
    test = table(tmp_path, "txtid,videoid,strategy,,OK\ne,e,largest,,1\n", name="test.csv")
    done = run(tmp_path, videos, test, "--tracks", tmp_path / "tracks.tsv")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "track\tfrom_frame\tto_frame\tperson\na\t\t\tleft\ne\t\t\tlargest\n"
    overrides = tmp_path / "overrides.tsv"
    overrides.write_text(done.stdout)
    assert read_overrides(overrides, [track.track for track in TRACKS])["e"][0]["person"] == "largest"
    assert done.stderr.splitlines() == [
        f"Warning: {videos} line 4 names the video 'z', which the corpus does not have",
        "2 rows: 1 left, 1 largest. Left out: 1 row without a strategy, 0 tracks followed like this already",
    ]


def test_the_command_names_what_is_missing(tmp_path):
    done = run(tmp_path, table(tmp_path, "track,strategy\na,left\n"), "--tracks", tmp_path / "tracks.tsv")
    assert done.returncode == 1 and done.stdout == ""
    assert "tracks.tsv does not exist; run `snakemake --cores 1 index_corpus`" in done.stderr
    write_tracks(TRACKS, tmp_path / "tracks.tsv")
    twice = [table(tmp_path, f"track,strategy\na,{person}\n", name=f"{person}.csv") for person in ("left", "top")]
    done = run(tmp_path, *twice, "--tracks", tmp_path / "tracks.tsv")
    assert done.returncode == 1 and "The track a gets a person from" in done.stderr


def test_the_authors_own_table(shared):
    """224 largest, 39 left, 29 right, 8 top, 7 id_keep and 5 two-person videos without a strategy."""
    path = shared / "authors/face_extract_strategy.csv"
    if not path.exists():
        pytest.skip("the authors' table is not here")
    with path.open(encoding="utf-8-sig", newline="") as handle:
        rows = list(csv.DictReader(handle))
    tracks = [
        track(name, row["video_id"])
        for row in rows
        for name in (
            [row["video_id"]] if row["strategy"] else [f"{row['video_id']}_{side}" for side in ("left", "right")]
        )
    ]
    found = convert(read_person_table(path), tracks)
    persons = [person for _, person in found.rows]
    assert {person: persons.count(person) for person in set(persons)} == {"left": 39, "right": 29, "top": 8}
    assert (found.num_empty, found.num_unchanged, found.warnings) == (5, 231, [])
