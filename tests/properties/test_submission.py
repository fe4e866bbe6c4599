"""Rows of a submission: what is written is accepted, and no change of a line goes unseen."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frame_expressions.challenge.alignment import labels_for_frames, rows_from_frames
from frame_expressions.challenge.annotations import read_annotation
from frame_expressions.challenge.submission import check_predictions, write_predictions, write_track_files
from frame_expressions.challenge.templates import image_location, read_template, template_tracks
from frame_expressions.runtime.errors import InputError

names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,8}", fullmatch=True)
lengths = st.dictionaries(names, st.integers(1, 6), min_size=1, max_size=4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("submission")


def _written(folder, num_frames, seed):
    """A template with so many rows of each track and a file of predictions for it, and their classes."""
    rows = [(track, frame) for track, count in num_frames.items() for frame in range(1, count + 1)]
    classes = np.random.default_rng(seed).integers(0, 8, len(rows))
    locations = [image_location(*row) for row in rows]
    (folder / "template.txt").write_text("".join(f"{location},0\n" for location in locations))
    write_predictions(folder / "predictions.txt", rows, classes)
    return rows, classes


@settings(max_examples=30)
@given(lengths, st.integers(0, 99))
def test_what_is_written_is_accepted_and_read_back(folder, num_frames, seed):
    rows, classes = _written(folder, num_frames, seed)
    found = check_predictions(folder / "predictions.txt", folder / "template.txt")
    assert (found["rows"], found["tracks"]) == (len(rows), len(num_frames))
    assert list(found["class_counts"].values()) == np.bincount(classes, minlength=8).tolist()
    assert read_template(folder / "template.txt") == rows and template_tracks(folder / "template.txt") == num_frames
    for file in folder.glob("tracks/*.txt"):
        file.unlink()
    write_track_files(folder / "predictions.txt", folder / "tracks")
    by_track = [read_annotation(folder / "tracks" / f"{track}.txt") for track in num_frames]
    assert np.concatenate(by_track).tolist() == classes.tolist()


changes = st.sampled_from(["delete", "double", "swap", "replace", "insert", "cut"])


@given(lengths, changes, st.integers(0, 10**6), st.binary(min_size=1, max_size=3))
def test_no_change_of_a_line_is_accepted(folder, num_frames, change, place, piece):
    _, classes = _written(folder, num_frames, place)
    path = folder / "predictions.txt"
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    line, byte = place % len(lines), place % len(whole)
    changed = {
        "delete": b"".join(lines[:line] + lines[line + 1 :]),
        "double": b"".join(lines[: line + 1] + lines[line:]),
        "swap": b"".join([lines[-1], *lines[1:-1], lines[0]]),
        "replace": whole[:byte] + piece + whole[byte + len(piece) :],
        "insert": whole[:byte] + piece + whole[byte:],
        "cut": whole[:byte],
    }[change]
    path.write_bytes(changed)
    try:
        found = check_predictions(path, folder / "template.txt")
    except InputError as error:
        assert str(error).startswith(str(path))
        return
    # The one change that leaves a valid file: a row's class in place of another.
    rows = changed.decode().splitlines()
    assert [row[:-1] for row in rows] == [row[:-1] for row in whole.decode().splitlines()]
    again = np.array([int(row[-1]) for row in rows[1:]])
    assert list(found["class_counts"].values()) == np.bincount(again, minlength=8).tolist()
    assert changed == whole or (change == "replace" and (again != classes).sum() == 1)


@given(st.integers(1, 300), st.integers(1, 300), st.integers(0, 99))
def test_rows_and_frames_are_matched_one_to_one_or_refused(num_rows, num_frames, seed):
    rng = np.random.default_rng(seed)
    rows, predictions = rng.integers(-1, 8, num_rows).astype(np.int8), rng.integers(0, 8, num_frames)
    difference, time_s = abs(num_rows - num_frames), np.arange(num_frames) / 30
    if difference > 3 and difference > 0.05 * num_rows:
        for matched in (
            lambda: labels_for_frames(rows, time_s, "a"),
            lambda: rows_from_frames(predictions, time_s, num_rows, "a"),
        ):
            with pytest.raises(InputError, match="more than 5 % apart"):
                matched()
        return
    labels = labels_for_frames(rows, time_s, "a")
    assert labels.tolist() == [rows[frame] if frame < num_rows else -1 for frame in range(num_frames)]
    classes = rows_from_frames(predictions, time_s, num_rows, "a")
    assert classes.tolist() == [predictions[min(row, num_frames - 1)] for row in range(num_rows)]
