import json

import pytest

from frame_expressions.artifacts.text import read_given_tsv, read_tsv, write_json, write_tsv
from frame_expressions.runtime.errors import InputError


def test_json_has_no_nan(tmp_path):
    write_json({"b": 1, "a": [2]}, tmp_path / "x.json")
    assert json.loads((tmp_path / "x.json").read_text()) == {"a": [2], "b": 1}
    with pytest.raises(ValueError, match="JSON"):
        write_json({"a": float("nan")}, tmp_path / "y.json")
    assert not (tmp_path / "y.json").exists()


COLUMNS = ("track", "reason")


def test_a_table_comes_back_whatever_its_fields_hold(tmp_path):
    rows = [["a", 'a "quoted"\ttab'], ["é\n", ""]]
    write_tsv(COLUMNS, rows, tmp_path / "t.tsv")
    assert [list(row.values()) for row in read_tsv(tmp_path / "t.tsv", COLUMNS)] == rows
    columns, numbered = read_given_tsv(tmp_path / "t.tsv", "table")
    assert columns == list(COLUMNS) and [line for line, _ in numbered] == [2, 4]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is cut off; delete it"),
        (b"track\treason\na\tb", "is cut off; delete it"),
        (b"track\treason\na\n", "is not a table with the columns track, reason; delete it"),
        (b"track\treason\na\tb\tc\n", "is not a table with the columns"),
        (b"reason\ttrack\na\tb\n", "is not a table with the columns"),
        (b"track\treason\n\xff\tb\n", "cannot be read as a table"),
        (b'track\treason\n"a"b\tc\n', "cannot be read as a table"),
    ],
)
def test_a_damaged_table_of_the_workflow_is_named(tmp_path, content, message):
    (tmp_path / "t.tsv").write_bytes(content)
    with pytest.raises(InputError, match=rf"t\.tsv {message}"):
        read_tsv(tmp_path / "t.tsv", COLUMNS)


def test_a_table_of_the_user_may_lack_its_last_line_end_and_may_have_a_byte_order_mark(tmp_path):
    (tmp_path / "t.tsv").write_bytes(b"\xef\xbb\xbftrack\treason\r\na\r\nb\tc\td")
    columns, rows = read_given_tsv(tmp_path / "t.tsv", "table")
    assert columns == list(COLUMNS)
    assert rows == [(2, {"track": "a", "reason": None}), (3, {"track": "b", "reason": "c", None: ["d"]})]
    for content in (b"track\n\xff\n", b'track\n"a"b\n'):
        (tmp_path / "t.tsv").write_bytes(content)
        with pytest.raises(InputError, match=r"^The table .*t\.tsv cannot be read \(.*\); give a tab-separated"):
            read_given_tsv(tmp_path / "t.tsv", "table")
    with pytest.raises(InputError, match=r"none\.tsv cannot be read"):
        read_given_tsv(tmp_path / "none.tsv", "table")
