"""How much a face counts: hand-computed scores and landmarks."""

import numpy as np
import pytest

from frame_expressions.faces.face_weight import PROFILE_WEIGHT, face_weight

FRONTAL = [[40, 40], [80, 40], [60, 60], [45, 80], [75, 80]]  # left eye, right eye, nose, corners of the mouth


def weight(points, score=1.0):
    return float(face_weight(np.array([score]), np.array([points], np.float32))[0])


def moved(nose):
    return [*FRONTAL[:2], nose, *FRONTAL[3:]]


def test_without_landmarks_the_score_counts_and_the_cascades_faces_weigh_1():
    weights = face_weight(np.array([1.0, 0.5], np.float32), None)
    assert weights.tolist() == [1.0, 0.125] and weights.dtype == np.float32
    assert face_weight(np.zeros(0), None).shape == face_weight(np.zeros(0), np.zeros((0, 5, 2))).shape == (0,)


def test_a_face_that_looks_into_the_camera_counts_in_full_and_a_profile_little():
    assert weight(FRONTAL) == 1
    assert weight(moved([69, 60])) == 1  # nose 0.225 of the eyes' distance aside
    assert weight(moved([75, 60])) == pytest.approx(1 - (1 - PROFILE_WEIGHT) / 2)  # 0.375: half way
    for nose in ([80, 60], [95, 60], [30, 60]):  # below an eye, and beyond either
        assert weight(moved(nose)) == PROFILE_WEIGHT
    for nose in ([60, 30], [60, 85]):  # above the eyes, below the mouth
        assert weight(moved(nose)) == PROFILE_WEIGHT
    assert weight([[60, 40]] * 5) == PROFILE_WEIGHT  # all in one place


def test_the_weight_does_not_depend_on_place_size_or_tilt():
    points = np.array(moved([75, 60]), float)
    turn = np.array([[np.cos(0.6), np.sin(0.6)], [-np.sin(0.6), np.cos(0.6)]])
    assert weight(3 * points @ turn + 100, 0.8) == pytest.approx(weight(points, 0.8))
    assert weight(points * [-1, 1]) == pytest.approx(weight(points))


def test_a_back_of_a_head_is_outweighed_by_a_smaller_face_in_front():
    for score, taller in ((0.5, 4), (0.6, 2.5), (0.75, 1.5)):
        assert taller * weight(FRONTAL, score) < weight(FRONTAL, 0.87)
