"""Annotation files of the challenge."""

import numpy as np
import pytest

from frame_expressions.challenge.annotations import read_annotation
from frame_expressions.runtime.errors import InputError

HEADER = "Neutral,Anger,Disgust,Fear,Happiness,Sadness,Surprise,Other"


def annotation(folder, text):
    (folder / "7.txt").write_bytes(text.encode())
    return folder / "7.txt"


def test_row_k_is_frame_k_and_the_header_is_no_row(tmp_path):
    labels = read_annotation(annotation(tmp_path, HEADER + "\n4\n-1\n0\n7\n"))
    assert labels.dtype == np.int8
    assert labels.tolist() == [4, -1, 0, 7]


def test_case_spaces_and_line_ends_do_not_matter(tmp_path):
    text = "\ufeff" + HEADER.lower().replace(",", ", ") + "\r\n 1\r\n2 \r\n\r\n"
    assert read_annotation(annotation(tmp_path, text)).tolist() == [1, 2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEADER + "\n0\n-1\n9\n", r"7\.txt line 4 reads '9'"),
        (HEADER + "\n0\n-2\n", r"line 3 reads '-2'"),
        (HEADER + "\n0\n\n1\n", r"line 3 reads ''"),
        (HEADER + "\n1.0\n", r"line 2 reads '1\.0'"),
        (HEADER + "\n", "no rows"),
        ("", "begins with ''"),
        ("0\n1\n", "begins with '0' instead of Neutral,Anger"),
        ("Neutral,Anger,Disgust,Fear,Happiness,Sadness,Surprise\n0\n", "into this order"),
        (HEADER.replace("Anger,Disgust", "Disgust,Anger") + "\n0\n", "into this order"),
    ],
)
def test_bad_files_are_refused_in_one_sentence(tmp_path, text, message):
    with pytest.raises(InputError, match=message) as refusal:
        read_annotation(annotation(tmp_path, text))
    assert "\n" not in str(refusal.value)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"7\.txt cannot be read"):
        read_annotation(tmp_path / "7.txt")
