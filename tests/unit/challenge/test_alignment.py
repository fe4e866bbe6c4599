"""Decoded frames against annotation and template rows."""

import logging

import numpy as np
import pytest

from frame_expressions.challenge.alignment import (
    frame_slots,
    labels_for_frames,
    num_rows_expected,
    rows_from_frames,
)
from frame_expressions.runtime.errors import InputError


def _times(num_frames):
    return np.arange(num_frames) / 30


def test_labels_are_cut_or_filled_with_unlabelled():
    rows = np.array([4, -1, 2], dtype=np.int8)
    assert labels_for_frames(rows, _times(3), "a").tolist() == [4, -1, 2]
    assert labels_for_frames(rows, _times(2), "a").tolist() == [4, -1]
    assert labels_for_frames(rows, _times(5), "a").tolist() == [4, -1, 2, -1, -1]
    assert labels_for_frames(rows, _times(5), "a").dtype == np.int8


def test_rows_take_the_last_prediction_or_are_cut():
    predictions = np.array([4, 1, 2], dtype=np.int8)
    assert rows_from_frames(predictions, _times(3), 3, "a").tolist() == [4, 1, 2]
    assert rows_from_frames(predictions, _times(3), 5, "a").tolist() == [4, 1, 2, 2, 2]
    assert rows_from_frames(predictions, _times(3), 1, "a").tolist() == [4]


@pytest.mark.parametrize("difference", [-3, -1, 0, 1, 2, 3])
def test_usual_differences_are_not_logged(difference, caplog):
    labels_for_frames(np.zeros(1000 + difference, dtype=np.int8), _times(1000), "a")
    rows_from_frames(np.zeros(1000, dtype=np.int8), _times(1000), 1000 + difference, "a")
    assert not caplog.records


@pytest.mark.parametrize("difference", [-4, 4, 50])
def test_larger_differences_are_logged(difference, caplog):
    with caplog.at_level(logging.WARNING):
        labels_for_frames(np.zeros(1000 + difference, dtype=np.int8), _times(1000), "video2_left")
        rows_from_frames(np.zeros(1000, dtype=np.int8), _times(1000), 1000 + difference, "video2_left")
    assert [record.getMessage() for record in caplog.records] == [
        f"video2_left: {1000 + difference} rows, but 1000 decoded frames"
    ] * 2


def test_another_videos_rows_are_refused():
    with pytest.raises(InputError, match="video2_left has 1000 rows but its video has 949 frames"):
        labels_for_frames(np.zeros(1000, dtype=np.int8), _times(949), "video2_left")
    with pytest.raises(InputError, match="video2_left has 1000 rows but its video has 1051 frames"):
        rows_from_frames(np.zeros(1051, dtype=np.int8), _times(1051), 1000, "video2_left")


@pytest.mark.parametrize(
    ("num_rows", "num_frames", "outcome"),
    [
        (1000, 950, "logged"),  # exactly 5 % of the rows
        (1000, 1050, "logged"),
        (1000, 949, "refused"),
        (80, 76, "logged"),
        (79, 75, "refused"),
        (10, 7, "silent"),  # 3 rows are usual, however short the clip
        (1, 4, "silent"),
        (10, 6, "refused"),
        (10, 14, "refused"),
        (1, 5, "refused"),
    ],
)
def test_boundaries_are_the_same_for_labels_and_for_submission_rows(num_rows, num_frames, outcome, caplog):
    calls = (
        lambda: labels_for_frames(np.zeros(num_rows, dtype=np.int8), _times(num_frames), "a"),
        lambda: rows_from_frames(np.zeros(num_frames, dtype=np.int8), _times(num_frames), num_rows, "a"),
    )
    for call, length in zip(calls, (num_frames, num_rows), strict=True):
        caplog.clear()
        if outcome == "refused":
            with pytest.raises(InputError, match=f"a has {num_rows} rows but its video has {num_frames} frames"):
                call()
        else:
            assert len(call()) == length
            expected = [f"a: {num_rows} rows, but {num_frames} decoded frames"] if outcome == "logged" else []
            assert [record.getMessage() for record in caplog.records] == expected


def test_a_skipped_video_has_no_labels_and_no_predictions():
    assert labels_for_frames(np.zeros(100, dtype=np.int8), _times(0), "a").shape == (0,)
    with pytest.raises(ValueError, match="a has no frames"):
        rows_from_frames(np.zeros(0, dtype=np.int8), _times(0), 2, "a")


HELD = [*range(25), *range(38, 75)]  # a recording of 75 slots whose frames 26 to 38 repeat the one before


@pytest.mark.parametrize("round_s", [0.0, 0.001])
@pytest.mark.parametrize("num_rows", [73, 75, 77])
def test_rows_that_count_slots_in_time_are_matched_by_slot(num_rows, round_s, caplog):
    time_s = np.array(HELD) / 30
    time_s = np.round(time_s / round_s) * round_s if round_s else time_s
    rows = (np.arange(num_rows) % 8).astype(np.int8)
    with caplog.at_level(logging.WARNING):
        labels = labels_for_frames(rows, time_s, "a")
    assert labels.tolist() == [slot % 8 if slot < num_rows else -1 for slot in HELD]
    assert f"a: {num_rows} rows, as many as its 62 frames have slots in time" in caplog.text
    classes = rows_from_frames(np.array(HELD) % 8, time_s, num_rows, "a")
    shown = [max(slot for slot in HELD if slot <= row) for row in range(num_rows)]
    assert classes.tolist() == [slot % 8 for slot in shown]
    assert num_rows_expected(time_s, num_rows) == 75 and num_rows_expected(time_s, 62) == 62


def test_rows_that_count_frames_are_matched_by_frame_whatever_the_times_are():
    held, uneven = np.array(HELD) / 30, np.cumsum(np.random.default_rng(0).uniform(0.02, 0.06, 62))
    rows = (np.arange(62) % 8).astype(np.int8)
    for time_s in (held, uneven):
        assert np.array_equal(labels_for_frames(rows, time_s, "a"), rows)
    two = np.delete(np.arange(75), [30, 50]) / 30  # as many rows too many as are usual
    assert labels_for_frames(np.arange(75).astype(np.int8), two, "a").tolist() == list(range(73))
    assert frame_slots(uneven) is None and frame_slots(_times(62)) is None and frame_slots(_times(2)) is None
    off_grid = np.cumsum(np.tile([1.0] * 10 + [1.4] * 5 + [2.4] * 5, 3)) / 30  # whole steps, each, but not together
    assert frame_slots(off_grid) is None
    with pytest.raises(InputError, match="a has 75 rows but its video has 62 frames"):
        labels_for_frames(np.zeros(75, np.int8), uneven, "a")
