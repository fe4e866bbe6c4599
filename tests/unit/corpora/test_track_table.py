"""The layout `table`."""

import pytest

from frame_expressions.corpora.problems import raise_first
from frame_expressions.corpora.track_table import scan_table
from frame_expressions.corpora.tracks import Track
from frame_expressions.runtime.errors import InputError


def table(folder, text):
    for name in ("a.mp4", "te[s]t ' .flv", "a.txt"):
        (folder / name).touch()
    (folder / "corpus.tsv").write_text(text)
    return folder / "corpus.tsv"


def index(tsv, **options):
    """The tracks of a table; raises InputError for the first problem."""
    tracks, problems = scan_table(tsv, **options)
    raise_first(problems)
    return tracks


def test_every_column(tmp_path):
    tsv = table(
        tmp_path,
        "track\tpath\tsplit\tvideo\tannotation\tlabel\tperson\n"
        "a_left\ta.mp4\ttrain\t\ta.txt\t\tleft\n"
        "\n"
        f"odd\t{tmp_path}/te[s]t ' .flv\tvalidation\tclip1\t\tanger\t\n",
    )
    assert index(tsv) == [
        Track("a_left", "a", f"{tmp_path}/a.mp4", "train", "left", f"{tmp_path}/a.txt", "", "a"),
        Track("odd", "clip1", f"{tmp_path}/te[s]t ' .flv", "validation", "auto", "", "Anger", "clip1"),
    ]


def test_auto_takes_the_side_that_the_tracks_name_says(tmp_path):
    rows = ["a_left\ta.mp4\ttest\t", "a_right\ta.mp4\ttest\tauto", "a\ta.mp4\ttest\tauto", "b_left\ta.mp4\ttest\t"]
    tsv = table(tmp_path, "\n".join(["track\tpath\tsplit\tperson", *rows]) + "\n")
    assert [track.person for track in index(tsv)] == ["left", "right", "auto", "auto"]


def test_smallest_table_and_labels_by_number(tmp_path):
    assert index(table(tmp_path, "track\tpath\tsplit\na\ta.mp4\ttest\n"))[0].person == "auto"
    labelled = index(table(tmp_path, "track\tpath\tsplit\tlabel\na\ta.mp4\ttrain\t0\n"))
    assert labelled[0].label == "Neutral"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("track,path,split\na,a.mp4,train\n", "line 1 .*unknown .*'track,path,split'"),
        ("track\tpath\n", "line 1 lacks the column 'split'"),
        ("track\tpath\tsplit\tsplit\n", "line 1 .*duplicate column 'split'"),
        ("track\tpath\tsplit\tfps\n", "line 1 has an unknown .*'fps'"),
        ("track\tpath\tsplit\n", "has no rows"),
        ("track\tpath\tsplit\n\na\tgone.mp4\ttest\n", "line 3 names .*gone.mp4, which does not exist"),
        ("track\tpath\tsplit\na\ta.mp4\tval\n", "line 2 has the split 'val'"),
        ("track\tpath\tsplit\na\ta.mp4\ttest\tx\n", "line 2 has more fields"),
        ("track\tpath\tsplit\na\ta.mp4\n", "line 2 leaves 'split' empty"),
        ("track\tpath\tsplit\tlabel\na\ta.mp4\ttrain\t8\n", "line 2 has the label '8'"),
        ("track\tpath\tsplit\tlabel\na\ta.mp4\ttrain\n", "line 2 .* neither annotation nor label"),
        (
            "track\tpath\tsplit\tperson\na\ta.mp4\ttest\tmiddle\n",
            "line 2: 'middle' is not a person; choose one of",
        ),
        ("track\tpath\tsplit\tannotation\na\ta.mp4\ttest\tb.txt\n", "line 2 names .*b.txt"),
        ("track\tpath\tsplit\tannotation\tlabel\na\ta.mp4\ttest\ta.txt\t3\n", "line 2 gives both"),
        ("track\tpath\tsplit\na\ta.mp4\ttest\na\ta.mp4\ttest\n", "a .*is listed twice"),
        ("track\tpath\tsplit\na\tte[s]t ' .flv\ttest\n", "give it a name in the table layout"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_line(tmp_path, text, message):
    with pytest.raises(InputError, match=message) as refusal:
        index(table(tmp_path, text))
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("column", ["path", "annotation"])
@pytest.mark.parametrize("how", ["absolute", "above", "link", "linked folder"])
def test_a_table_names_files_outside_its_folder_only_if_allowed(tmp_path, column, how):
    folder, other = tmp_path / "corpus", tmp_path / "other"
    folder.mkdir()
    other.mkdir()
    (other / "a.mp4").touch()
    (folder / "linked").symlink_to(other)
    (folder / "link.mp4").symlink_to(other / "a.mp4")
    name = {
        "absolute": f"{other}/a.mp4",
        "above": "../other/a.mp4",
        "link": "link.mp4",
        "linked folder": "linked/a.mp4",
    }
    files = {"path": "a.mp4", "annotation": "a.txt"} | {column: name[how]}
    header = "track\tpath\tsplit\tannotation\n"
    tsv = table(folder, f"{header}a\t{files['path']}\ttrain\t{files['annotation']}\n")
    with pytest.raises(
        InputError, match=r"line 2 names .*(a|link)\.mp4, which is outside .*corpus\.allow_outside_root"
    ):
        index(tsv)
    (track,) = index(tsv, allow_outside_root=True)
    assert (other / "a.mp4").samefile({"path": track.path, "annotation": track.annotation}[column])


def test_a_table_may_be_behind_a_link_and_name_its_folder_in_full(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "linked").symlink_to(tmp_path / "real")
    tsv = table(tmp_path / "real", f"track\tpath\tsplit\na\t{tmp_path}/linked/a.mp4\ttest\n")
    assert index(tmp_path / "linked" / tsv.name)[0].path == f"{tmp_path}/linked/a.mp4"


def test_a_path_with_a_line_break_is_refused_on_one_line(tmp_path):
    with pytest.raises(InputError, match=r"line 3 names .*a\\nb\.mp4', which has a line break"):
        index(table(tmp_path, 'track\tpath\tsplit\na\t"a\nb.mp4"\ttest\n'))


def test_missing_table_is_named(tmp_path):
    with pytest.raises(InputError, match=r"corpus\.tsv cannot be read"):
        index(tmp_path / "corpus.tsv")


def test_every_row_with_a_fault_is_named_and_the_others_are_tracks(tmp_path):
    text = "track\tpath\tsplit\na\ta.mp4\ttest\nb\tgone.mp4\ttest\nc\ta.mp4\tdev\na\ta.mp4\ttest\n"
    tracks, problems = scan_table(table(tmp_path, text))
    assert [track.track for track in tracks] == ["a"]
    assert [problem.track for problem in problems] == ["b", "c", "a"]
    assert "line 3 names" in problems[0].what and "line 4 has the split" in problems[1].what
    assert problems[0].file == str(tmp_path / "corpus.tsv")
    assert scan_table(tmp_path / "lost.tsv")[0] == []
