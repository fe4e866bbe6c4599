"""A table of folds that the user gives."""

import pytest

from frame_expressions.corpora.fold_table import read_fold_table
from frame_expressions.runtime.errors import InputError

TRACKS = ["a", "b_left", "b_right"]


@pytest.fixture
def given(tmp_path):
    def write(text, name="folds.csv"):
        path = tmp_path / name
        path.write_bytes(text.encode())
        return path

    return write


def test_folds_count_from_1_and_parts_from_0(given):
    expected = {"a": 0, "b_left": 2, "b_right": 1}
    authors = "\ufefftxtid,videoid,fold,class_0\r\nb_left,b,3,7\r\na,a,1,5\r\nb_right,b,2,0\r\n"
    assert read_fold_table(given(authors), TRACKS, 3) == expected
    assert list(read_fold_table(given(authors), TRACKS, 3)) == TRACKS  # the corpus's order
    assert read_fold_table(given("track\tpart\na\t0\nb_left\t2\nb_right\t1\n", "f.tsv"), TRACKS, 3) == expected


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("track,fold\na,1\nx,2\n", r"folds.csv line 3 names the track 'x', which is not a labelled track"),
        ("track,fold\na,1\nb_left,2\n", r"folds.csv lacks the labelled track b_right; add a row for it"),
        ("track,fold\na,1\na,2\n", r"line 3 lists the track 'a' again"),
        ("track,fold\na,0\n", r"line 2 has fold '0'; write a whole number from 1 to 3"),
        ("track,part\na,3\n", r"line 2 has part '3'; write a whole number from 0 to 2"),
        ("track,fold\na,one\n", r"line 2 has fold 'one'"),
        ("track,fold\na,1,2\n", r"line 2 has more fields than the header"),
        ("track,fold\na\n", r"line 2 has fold ''"),
        ("name,fold\na,1\n", r"line 1 has the columns name, fold; use track \(or txtid\)"),
        ("track,fold,part\na,1,0\n", r"line 1 has the columns track, fold, part; use .* not both"),
        ("track,fold\na,1\nb_left,1\nb_right,2\n", r"folds.csv leaves fold 3 empty"),
    ],
)
def test_a_table_that_does_not_fit_is_refused_with_its_line(given, text, sentence):
    with pytest.raises(InputError, match=sentence):
        read_fold_table(given(text), TRACKS, 3)


def test_a_file_that_is_not_text_is_refused(tmp_path):
    (tmp_path / "f.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"f\.csv cannot be read"):
        read_fold_table(tmp_path / "f.csv", TRACKS, 3)
