"""Which frames are trained on, and which frame another one takes its features from: values worked out by hand."""

import numpy as np
import pytest

from frame_expressions.fusion.missing import filling_of, imputed_frames, nearest_rows, usable_frames

FACE = np.array([1, 1, 0, 0, 0, 1, 0], bool)
AUDIO = np.array([0, 1, 1, 0, 0, 1, 1], bool)


def test_a_known_frame_is_its_own_and_others_take_the_nearest():
    known = np.array([0, 1, 0, 0, 0, 1, 0, 0], bool)
    assert nearest_rows(known).tolist() == [1, 1, 1, 1, 5, 5, 5, 5]
    assert nearest_rows(known, prefer_later=True).tolist() == [1, 1, 1, 5, 5, 5, 5, 5]


def test_without_a_known_frame_each_is_its_own():
    assert nearest_rows(np.zeros(3, bool)).tolist() == [0, 1, 2]
    assert nearest_rows(np.zeros(0, bool)).tolist() == []


@pytest.mark.parametrize("length", [1, 2, 7, 40])
@pytest.mark.parametrize("prefer_later", [False, True])
def test_nearest_rows_equal_a_slow_search(length, prefer_later):
    rng = np.random.default_rng(length)
    for _ in range(20):
        known = rng.random(length) < 0.3
        known[rng.integers(length)] = True
        rows = np.flatnonzero(known).tolist()
        expected = [
            min(rows, key=lambda row: (abs(row - frame), -row if prefer_later else row)) for frame in range(length)
        ]
        assert nearest_rows(known, prefer_later).tolist() == expected


@pytest.mark.parametrize(
    ("prediction", "trained_on", "filling"),
    [
        ("auto", "complete", "nearest_frame"),
        ("auto", "either", "alone"),
        ("alone", "complete", "alone"),
        ("nearest_feature", "complete", "nearest_feature"),
        ("nearest_frame", "either", "nearest_frame"),
    ],
)
def test_a_model_that_has_only_seen_complete_frames_gets_no_others_unless_told(prediction, trained_on, filling):
    assert filling_of(prediction, trained_on) == filling


def test_complete_frames_have_a_face_and_audio():
    assert usable_frames(FACE, AUDIO, "complete").tolist() == [0, 1, 0, 0, 0, 1, 0]
    assert usable_frames(FACE, AUDIO, "either").tolist() == [1, 1, 1, 0, 0, 1, 1]


@pytest.mark.parametrize(
    ("filling", "expected"),
    [
        ("alone", [0, 0, 0, 1, 1, 0, 0]),
        ("nearest_frame", [1, 0, 1, 1, 1, 0, 1]),
        ("nearest_feature", [1, 0, 1, 1, 1, 0, 1]),
    ],
)
def test_imputed_frames_take_something_from_another(filling, expected):
    assert imputed_frames(FACE, AUDIO, filling).tolist() == expected


@pytest.mark.parametrize(
    ("filling", "expected"),
    [("alone", [0, 0, 1, 0]), ("nearest_frame", [0, 0, 1, 0]), ("nearest_feature", [1, 1, 1, 1])],
)
def test_a_track_without_a_complete_frame(filling, expected):
    face, audio = np.array([1, 0, 0, 0], bool), np.array([0, 1, 0, 1], bool)
    assert imputed_frames(face, audio, filling).tolist() == expected


@pytest.mark.parametrize("filling", ["alone", "nearest_frame", "nearest_feature"])
def test_a_track_with_one_modality_only(filling):
    audio = np.array([1, 0, 1], bool)
    assert imputed_frames(np.zeros(3, bool), audio, filling).tolist() == [0, 1, 0]
    assert imputed_frames(audio, np.zeros(3, bool), filling).tolist() == [0, 1, 0]
    assert imputed_frames(np.zeros(3, bool), np.zeros(3, bool), filling).tolist() == [1, 1, 1]
