"""The faces of a frame, and the overlap of boxes."""

import numpy as np
import pytest

from frame_expressions.faces.boxes import Faces, iou


def box(x, y=0.0, side=10.0):
    return [x, y, x + side, y + side]


def faces(boxes, scores, **optional):
    return Faces(np.array(boxes, np.float32), np.array(scores, np.float32), **optional)


def test_faces_are_filtered_and_ordered_by_score_with_all_they_carry():
    found = faces(
        [[0, 0, 40, 40], [0, 0, 40, 29], [50, 0, 90, 40], [5, 0, 45, 40], [0, 0, 9, 99]],
        [0.6, 0.9, 0.8, 0.8, 0.99],
        landmarks_px=np.arange(50, dtype=np.float32).reshape(5, 5, 2),
        embedding=np.arange(5, dtype=np.float32)[:, None],
    )
    kept = found.kept(0.6, 30, "shorter")
    assert kept.score.tolist() == np.float32([0.8, 0.8, 0.6]).tolist()
    assert kept.xyxy_px[:, 0].tolist() == [5, 50, 0]
    assert kept.embedding.ravel().tolist() == [3, 2, 0] and kept.landmarks_px[:, 0, 0].tolist() == [30, 20, 0]
    assert len(found.kept(1.0, 30, "shorter")) == 0


def test_which_side_of_a_box_counts():
    found = faces([[0, 0, 29, 30], [50, 0, 80, 29], [0, 0, 30, 30], [0, 0, 29, 29]], [0.9, 0.8, 0.7, 0.6])
    assert found.kept(0.5, 30, "longer").score.tolist() == np.float32([0.9, 0.8, 0.7]).tolist()
    assert found.kept(0.5, 30, "shorter").score.tolist() == np.float32([0.7]).tolist()


def test_iou_by_hand():
    overlap = iou(np.array([box(0)]), np.array([box(0), box(5), box(0, 5), box(10), box(20), box(2, 2, 4)]))
    assert overlap[0] == pytest.approx([1, 1 / 3, 1 / 3, 0, 0, 0.16])
    assert iou(np.array([[3, 3, 3, 3]]), np.array([[3, 3, 3, 3]])).tolist() == [[0]]
    assert iou(np.zeros((0, 4)), np.zeros((2, 4))).shape == (0, 2)
