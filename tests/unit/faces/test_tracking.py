"""Linking detections into persons, on tracks made by hand."""

import numpy as np

from frame_expressions.faces.tracking import SubjectSettings, track_detections

SETTINGS = SubjectSettings(max_gap_s=0.5, takeover_s=3.0, min_iou=0.3, min_similarity=0.25, memory=0.9)


def box(x, y=0.0, side=10.0):
    return [x, y, x + side, y + side]


def linked(frames, boxes, embeddings=None, step_s=0.1):
    """Link detections in frames (1-based) of a video with `step_s` between frames."""
    frames = np.array(frames)
    embeddings = None if embeddings is None else np.array(embeddings, np.float32)
    return track_detections(frames, (frames - 1) * step_s, np.array(boxes, float), embeddings, SETTINGS).tolist()


def test_two_persons_that_move_slowly_keep_their_numbers_whatever_the_order_of_rows():
    frames = [1, 1, 2, 2, 3, 3]
    boxes = [box(0), box(50), box(52), box(2), box(4), box(54)]
    assert linked(frames, boxes) == [0, 1, 1, 0, 0, 1]


def test_the_best_overlap_wins():
    # Person 0 stays; the second box of frame 2 overlaps it too, but less.
    assert linked([1, 2, 2], [box(0), box(4), box(1)]) == [0, 1, 0]


def test_a_short_gap_is_bridged_and_a_long_one_is_not():
    assert linked([1, 6], [box(0), box(1)]) == [0, 0]  # 0.5 s
    assert linked([1, 7], [box(0), box(1)]) == [0, 1]  # 0.6 s


def test_a_person_who_walks_is_expected_further_on_after_a_gap():
    # 4 px a frame, unseen in frames 5 and 6: at 24 the box no longer overlaps the last one at 12.
    assert linked([1, 2, 3, 4, 7], [box(0), box(4), box(8), box(12), box(24)]) == [0] * 5
    assert linked([1, 2, 3, 4, 7], [box(0), box(4), box(8), box(12), box(0)]) == [0, 0, 0, 0, 1]


def test_nobody_takes_the_number_of_one_who_was_hidden_at_the_same_place():
    # 0 stands still and is hidden from frame 2 to 5, while 1 walks past; in frame 4 it is exactly where 0 was.
    boxes = [box(0), box(6), box(4), box(2), box(0), box(-3), box(-6), box(0)]
    assert linked([1, 1, 2, 3, 4, 5, 6, 6], boxes) == [0, 1, 1, 1, 1, 1, 1, 0]


def test_identity_follows_a_person_across_a_cut_and_a_change_of_sides():
    a, b = [1.0, 0.0], [0.0, 1.0]
    boxes = [box(0), box(50), box(50), box(0)]
    assert linked([1, 1, 40, 40], boxes, [a, b, a, b]) == [0, 1, 0, 1]


def test_another_face_in_the_same_place_is_another_person_when_the_first_is_still_there():
    a, b = [1.0, 0.0], [0.0, 1.0]
    assert linked([1, 2, 2], [box(0), box(0), box(30)], [a, b, a]) == [0, 1, 0]


def test_a_face_unlike_all_others_falls_back_to_overlap():
    a, turned = [1.0, 0.0], [0.1, np.sqrt(0.99)]
    assert linked([1, 2], [box(0), box(1)], [a, turned]) == [0, 0]
    assert linked([1, 2], [box(0), box(30)], [a, turned]) == [0, 1]


def test_the_mean_embedding_moves_slowly():
    # After faces at 0 and 40 degrees the mean is at 3.8: 80 is too far (cosine 0.24), 78 is not (0.27), though
    # 78 is too far from the first (0.21). The last face alone would take both.
    turned = [[np.cos(angle), np.sin(angle)] for angle in np.radians([0, 40, 80, 78])]
    far_apart = [box(0), box(100), box(400)]
    assert linked([1, 2, 3], far_apart, turned[:3]) == [0, 0, 1]
    assert linked([1, 2, 3], far_apart, [turned[0], turned[1], turned[3]]) == [0, 0, 0]


def test_no_detections():
    assert linked([], np.zeros((0, 4))) == []
