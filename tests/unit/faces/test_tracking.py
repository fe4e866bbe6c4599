"""Linking detections into persons, on tracks made by hand."""

import numpy as np

from frame_expressions.faces.boxes import Cut, FaceTable
from frame_expressions.faces.tracking import SubjectSettings, track_detections

SETTINGS = SubjectSettings(max_gap_s=0.5, takeover_s=3.0, min_iou=0.3, min_similarity=0.25, memory=0.9)


def box(x, y=0.0, side=10.0):
    return [x, y, x + side, y + side]


def linked(frames, boxes, embeddings=None, step_s=0.1, cuts=()):
    """Link detections in frames (1-based) of a video with `step_s` between frames."""
    frames = np.array(frames)
    embeddings = None if embeddings is None else np.array(embeddings, np.float32)
    faces = FaceTable(frames, np.array(boxes, float), np.ones(len(frames)), None, embeddings, cuts)
    return track_detections(faces, (frames - 1) * step_s, SETTINGS).tolist()


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


def test_a_cut_ends_every_track():
    frames, boxes = [1, 1, 2, 2, 3, 3], [box(0), box(50)] * 3
    assert linked(frames, boxes) == [0, 1] * 3
    assert linked(frames, boxes, cuts=[Cut(3)]) == [0, 1, 0, 1, 2, 3]
    assert linked(frames, boxes, cuts=[Cut(2), Cut(3)]) == [0, 1, 2, 3, 4, 5]
    # A cut to a frame without a face.
    assert linked([1, 2, 4], [box(0)] * 3, cuts=[Cut(3)]) == [0, 0, 1]


def test_faces_with_the_same_look_across_a_cut_are_one_person_wherever_they_are():
    frames, boxes = [1, 1, 2, 2, 3, 3], [box(0), box(50), box(50), box(0), box(50), box(0)]
    assert linked(frames, boxes, cuts=[Cut(2, [(1, 0, 2, 0)])]) == [0, 1, 0, 2, 0, 2]
    # The last face before the cut and the first after it may be some frames away from it.
    assert linked([1, 6], [box(0), box(50)], cuts=[Cut(3, [(1, 0, 6, 0)])]) == [0, 0]


def test_speed_is_not_taken_across_a_cut():
    # From 100 to 0 at the cut: 0 then stands still, and would be expected at -50 otherwise.
    cuts = [Cut(2, [(1, 0, 2, 0)])]
    assert linked([1, 2, 4], [box(100), box(0), box(1)], cuts=cuts) == [0, 0, 0]


def test_with_identities_a_person_is_followed_across_a_cut_and_another_in_the_same_place_is_not():
    a, b, turned = [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.1, 0.0, np.sqrt(0.99)]
    assert linked([1, 2, 3], [box(0), box(50), box(0)], [a, b, a], cuts=[Cut(2), Cut(3)]) == [0, 1, 0]
    assert linked([1, 2], [box(0), box(0)], [a, b]) == [0, 0]  # a turned head, perhaps
    assert linked([1, 2], [box(0), box(0)], [a, b], cuts=[Cut(2)]) == [0, 1]
    # Identity says more than look.
    assert linked([1, 2], [box(0), box(0)], [a, turned], cuts=[Cut(2, [(1, 0, 2, 0)])]) == [0, 1]


def test_a_false_box_does_not_take_over_the_number_of_the_face_that_it_touches():
    # As in a drawn clip with the cascade: frame 6 has the face and, half over it, a false box of twice the size.
    # In frame 7 one box is between both, which overlaps the false one more.
    frames = [1, 2, 3, 4, 5, 6, 6, 7, 8]
    face = [[195, 112, 310, 227]] * 5
    boxes = [*face, [60, 71, 239, 250], [196, 110, 311, 225], [128, 80, 290, 242], [190, 100, 318, 228]]
    assert linked(frames, boxes) == [0, 0, 0, 0, 0, 1, 0, 0, 0]
    # The same where the face itself is not found for a frame.
    assert linked([1, 2, 3, 4, 5, 6, 7, 8], [*boxes[:6], *boxes[7:]]) == [0, 0, 0, 0, 0, 1, 0, 0]


def test_a_newcomer_who_steps_in_front_of_somebody_keeps_the_number():
    # 1 appears in frame 4, over a third of 0, who cannot be seen from frame 5 on.
    boxes = [box(0), box(0), box(0), box(0), box(5), box(4), box(3), box(2)]
    assert linked([1, 2, 3, 4, 4, 5, 6, 7], boxes) == [0, 0, 0, 0, 1, 1, 1, 1]
