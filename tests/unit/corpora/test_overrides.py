"""The overrides table: its rows, and what it refuses."""

import pytest

from frame_expressions.corpora.overrides import read_overrides
from frame_expressions.faces.person_spec import parse_person_spec
from frame_expressions.runtime.errors import InputError

TRACKS = ["a", "b_left"]


def _table(tmp_path, *rows, header="track\tfrom_frame\tto_frame\tperson\tbox"):
    path = tmp_path / "overrides.tsv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def test_rows_by_track_in_their_order(tmp_path):
    rows = ["a\t5\t9\tright\t", "b_left\t\t\tidentity\t1,2.5,30,40", "a\t7\t\tabsent", "a\t1\t2\tidentity@8:1,1,2,2\t"]
    assert read_overrides(_table(tmp_path, *rows), TRACKS) == {
        "a": [
            {"from_frame": 5, "to_frame": 9, "person": "right"},
            {"from_frame": 7, "to_frame": None, "person": "absent"},
            {"from_frame": 1, "to_frame": 2, "person": "identity@8:1,1,2,2"},
        ],
        "b_left": [{"from_frame": 1, "to_frame": None, "person": "identity@1:1,2.5,30,40"}],
    }
    without_box = _table(tmp_path, "a\t1\t2\ttop", header="track\tfrom_frame\tto_frame\tperson")
    assert read_overrides(without_box, TRACKS)["a"][0]["person"] == "top"
    assert read_overrides(_table(tmp_path), TRACKS) == {}


@pytest.mark.parametrize("box", ["1234567,2,12345678,40", "-0.00001, 2, 3.25, 4"])
def test_any_box_comes_through_to_the_job_that_looks_for_the_face(tmp_path, box):
    (row,) = read_overrides(_table(tmp_path, f"a\t\t\tidentity\t{box}"), TRACKS)["a"]
    assert parse_person_spec(row["person"]).xyxy_px == tuple(map(float, box.split(",")))


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("c\t1\t2\tleft\t", "line 2 names the track 'c', which the corpus does not have"),
        ("a\t0\t2\tleft\t", "from_frame '0'; write a whole number from 1"),
        ("a\t1\t2.5\tleft\t", "to_frame '2.5'; write a whole number from 1"),
        ("a\t3\t2\tleft\t", "goes from frame 3 to 2"),
        ("a\t1\t2\tleftmost\t", "'leftmost' is not a person; choose one of auto, .*, or absent"),
        ("a\t1\t2\tleft\t1,2,3,4", "gives a box to 'left'; remove the box, or set person to identity"),
        ("a\t1\t2\tidentity\t", "gives no box to identity"),
        ("a\t1\t2\tidentity\t5,2,3,4", "'5,2,3,4' is not a box; write x1,y1,x2,y2"),
        ("a\t1\t2\tidentity@0:1,1,2,2\t", "is not a person"),
        ("a\t1\t2\tleft\t\tmore", "more fields than the header"),
        ("a\t" + "1" * 5000 + "\t\tleft\t", "from_frame '1111"),
        ("a\t²\t\tleft\t", "from_frame '²'; write a whole number from 1"),
        ("a\t1\t\tidentity\t1,1," + "9" * 400 + ",2", "is not a box"),
        ("a\t1\t\tidentity@" + "1" * 5000 + ":1,1,2,2\t", "is not a person"),
    ],
)
def test_what_does_not_fit_is_said_with_its_line(tmp_path, row, sentence):
    with pytest.raises(InputError, match=sentence):
        read_overrides(_table(tmp_path, row), TRACKS)


def test_a_wrong_header_and_a_missing_file(tmp_path):
    with pytest.raises(InputError, match="line 1 has the columns track, person; use track, from_frame"):
        read_overrides(_table(tmp_path, header="track\tperson"), TRACKS)
    with pytest.raises(InputError, match=r"none\.tsv cannot be read"):
        read_overrides(tmp_path / "none.tsv", TRACKS)
