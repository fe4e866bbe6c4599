"""The choice of the person and the interpolation of gaps, on tracks made by hand."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frame_expressions.faces.person_spec import PERSONS
from frame_expressions.faces.persons import Persons
from frame_expressions.faces.subject import choose_detections, interpolate_boxes
from frame_expressions.runtime.errors import InputError

RATE = 10


def make(tracks, num_frames, time_s=None):
    """Persons from {number: [(frames, x, side), ...]}, 0-based frames, at `RATE` frames per second."""
    rows = [(index, who, x, side) for who, parts in tracks.items() for frames, x, side in parts for index in frames]
    rows.sort()
    boxes = np.array([[x, 0, x + side, side] for _, _, x, side in rows], np.float32).reshape(-1, 4)
    return Persons(
        time_s=np.arange(num_frames) / RATE if time_s is None else np.array(time_s),
        index=np.array([row[0] for row in rows], int),
        xyxy_px=boxes,
        person=np.array([row[1] for row in rows], int),
    )


def chosen(persons, wanted):
    """The person chosen in each frame, -1 for none."""
    choice = choose_detections(persons, wanted, max_gap_s=0.5, takeover_s=3.0)
    assert len(choice) == len(persons.time_s)
    picked = choice >= 0
    assert (persons.index[choice[picked]] == np.flatnonzero(picked)).all()
    return np.where(picked, persons.person[choice] if len(persons.person) else -1, -1).tolist()


def filled(persons, wanted, forced_absent=()):
    """Boxes and status."""
    choice = choose_detections(persons, wanted, max_gap_s=0.5, takeover_s=3.0)
    xyxy_px, status, number = interpolate_boxes(persons, choice, np.isin(np.arange(len(choice)), forced_absent), 0.5)
    assert [state == "absent" for state in status] == (number < 0).tolist()
    return xyxy_px, status


def test_largest_changes_with_every_frame():
    persons = make({0: [(range(3), 0, 10)], 1: [(range(1, 4), 50, 12)]}, 5)
    assert chosen(persons, "largest") == [0, 1, 1, 1, -1]


def test_auto_keeps_the_main_person_when_a_larger_one_passes():
    persons = make({0: [(range(50), 0, 10)], 1: [(range(20, 30), 50, 30)]}, 50)
    assert chosen(persons, "auto") == [0] * 50


def test_auto_does_not_jump_while_the_main_person_is_away_for_a_moment():
    main = [(range(20), 0, 10), (range(40, 60), 0, 10)]
    persons = make({0: main, 1: [(range(10, 50), 50, 9)]}, 60)
    assert chosen(persons, "auto") == [0] * 20 + [-1] * 20 + [0] * 20


def test_auto_hands_over_when_the_main_person_leaves_for_long():
    main = [(range(60), 0, 10)]
    persons = make({0: main, 1: [(range(50, 100), 50, 9)]}, 100)
    assert chosen(persons, "auto") == [0] * 60 + [1] * 40
    small = make({0: main, 1: [(range(50, 100), 50, 4)]}, 100)
    assert chosen(small, "auto") == [0] * 60 + [-1] * 40


def test_auto_takes_a_piece_that_was_never_seen_with_the_main_person():
    persons = make({0: [(range(30), 0, 10)], 1: [(range(31, 45), 40, 10)], 2: [(range(47, 50), 90, 10)]}, 50)
    assert chosen(persons, "auto") == [0] * 30 + [-1] + [1] * 14 + [-1] * 5


def test_left_and_right_by_the_median_when_together_even_after_changing_places():
    tracks = {
        0: [(range(30), 100, 10), (range(30, 40), 0, 10)],
        1: [(range(30), 0, 10), (range(30, 40), 100, 10), (range(40, 60), 100, 10)],
    }
    persons = make(tracks, 60)
    assert chosen(persons, "left") == [1] * 60
    assert chosen(persons, "right") == [0] * 40 + [-1] * 20


def test_left_and_right_gather_lost_pieces_and_leave_out_a_third():
    tracks = {
        0: [(range(50), 0, 10)],
        1: [(range(30), 100, 10)],
        2: [(range(32, 50), 60, 10)],  # together with 0 only: the right one again
        3: [(range(10, 20), 50, 12)],  # together with both: a third person
        4: [(range(52, 60), 5, 10)],  # alone, near the left one
        5: [(range(50), 200, 3)],  # too small to count
    }
    persons = make(tracks, 60)
    assert chosen(persons, "left") == [0] * 50 + [-1] * 2 + [4] * 8
    assert chosen(persons, "right") == [1] * 30 + [-1] * 2 + [2] * 18 + [-1] * 10


def test_left_and_right_of_a_video_with_one_person_are_that_person():
    persons = make({0: [(range(5), 0, 10)]}, 6)
    assert chosen(persons, "left") == chosen(persons, "right") == [0] * 5 + [-1]


def test_everybody_who_is_there_has_a_place_main_persons_first():
    # 1 is larger than 0 and always together with it, 2 appears after both, 3 is visible in two frames only.
    away = {2: [(range(52, 60), 0, 3)], 3: [(range(5, 7), 200, 3)]}
    persons = make({0: [(range(50), 0, 10)], 1: [(range(50), 100, 14)], **away}, 60)
    assert chosen(persons, "person@1") == [1] * 50 + [-1] * 10
    assert chosen(persons, "person@2") == [0] * 50 + [-1] * 10
    assert chosen(persons, "person@3") == [-1] * 52 + [2] * 8
    assert chosen(persons, "person@4") == [-1] * 60


@pytest.mark.parametrize("name", [*PERSONS, "person@1", "person@8"])
def test_a_video_without_faces_has_no_subject(name):
    for num_frames in (0, 3):
        persons = make({}, num_frames)
        assert chosen(persons, name) == [-1] * num_frames
        xyxy_px, status = filled(persons, name)
        assert np.isnan(xyxy_px).all() and xyxy_px.shape == (num_frames, 4) and status == ["absent"] * num_frames


def test_gaps_are_interpolated_over_time_not_over_frames():
    # Seen at 0 s and 0.4 s; frames between are at 0.1 s and 0.3 s: a quarter and three quarters of the way.
    persons = make({0: [([0], 0, 10), ([3], 40, 30)]}, 5, time_s=[0, 0.1, 0.3, 0.4, 0.5])
    xyxy_px, status = filled(persons, "auto")
    assert xyxy_px[1].tolist() == pytest.approx([10, 0, 25, 15])
    assert xyxy_px[2].tolist() == pytest.approx([30, 0, 55, 25])
    assert status == ["detected", "interpolated", "interpolated", "detected", "absent"]
    assert np.isnan(xyxy_px[4]).all()


def test_gaps_longer_than_allowed_and_between_two_persons_stay_empty():
    persons = make({0: [([0], 0, 10), ([6], 0, 10)]}, 7)
    assert filled(persons, "auto")[1] == ["detected", *["absent"] * 5, "detected"]  # 0.6 s
    persons = make({0: [([0], 0, 10), ([5], 0, 10)]}, 6)
    assert filled(persons, "auto")[1] == ["detected", *["interpolated"] * 4, "detected"]  # 0.5 s
    persons = make({0: [([0], 0, 10)], 1: [([2], 0, 10)]}, 3)
    assert filled(persons, "largest")[1] == ["detected", "absent", "detected"]


def test_frames_that_an_override_declares_absent_are_not_interpolated():
    persons = make({0: [([0], 0, 10), ([3], 0, 10)]}, 4)
    assert filled(persons, "auto")[1] == ["detected", "interpolated", "interpolated", "detected"]
    assert filled(persons, "auto", forced_absent=[2])[1] == ["detected", "absent", "absent", "detected"]


def test_the_main_persons_in_their_order_from_left_to_right_and_from_the_top():
    # Three in a row, the second seen less; one walks past in front of them, a child plays at the side.
    tracks = {
        0: [(range(60), 100, 20)],
        1: [(range(45), 50, 20)],
        2: [(range(60), 0, 24)],
        3: [(range(20, 30), 70, 30)],
        4: [(range(60), 150, 6)],
    }
    persons = make(tracks, 60)
    assert [chosen(persons, name)[0] for name in ("left", "second_left", "second_right", "right")] == [2, 1, 1, 0]
    assert chosen(persons, "second_left") == [1] * 45 + [-1] * 15
    # A detection seen less than two thirds of the time, such as a pattern on the wall, changes nobody's place.
    tracks[5] = [(range(0, 60, 2), -50, 20)]
    assert chosen(make(tracks, 60), "left")[0] == 2
    # Boxes begin at the upper edge: the smallest has its centre highest.
    assert chosen(persons, "top")[0] in (0, 1)
    two = make({0: tracks[0], 2: tracks[2]}, 60)
    assert [chosen(two, name)[0] for name in ("left", "second_left", "second_right", "right")] == [2, 0, 2, 0]


def test_a_piece_belongs_to_the_person_it_is_never_seen_with_also_for_auto():
    # Person 0 is away for two seconds and comes back as 2, while 1 stays: no time for 1 to take over.
    tracks = {0: [(range(30), 0, 15)], 1: [(range(70), 100, 10)], 2: [(range(50, 70), 10, 15)]}
    assert chosen(make(tracks, 70), "auto") == [0] * 30 + [-1] * 20 + [2] * 20


def test_an_identity_is_followed_from_its_reference_through_all_its_pieces():
    tracks = {0: [(range(30), 0, 15)], 1: [(range(70), 100, 10)], 2: [(range(50, 70), 10, 15)]}
    persons = make(tracks, 70)
    assert chosen(persons, "identity@61:12,0,22,15") == [0] * 30 + [-1] * 20 + [2] * 20
    assert chosen(persons, "identity@1:100,0,111,10") == [1] * 70
    with pytest.raises(
        InputError, match="frame 2 has no face at 50,0,60,10; give the box of one of its faces: 0,0,15,15; 100,0,110,10"
    ):
        chosen(persons, "identity@2:50,0,60,10")
    with pytest.raises(InputError, match="frame 71 has no face at 0,0,9,9; name another frame"):
        chosen(persons, "identity@71:0,0,9,9")


def test_persons_of_known_identities_who_are_never_seen_together_stay_apart():
    # An interview, cut from one speaker to the other; 2 is the first one again, lost by tracking.
    tracks = {0: [(range(50), 0, 15)], 1: [(range(50, 90), 40, 15)], 2: [(range(90, 110), 0, 15)]}
    speakers = make(tracks, 110)
    known = np.array([[1.0, 0.0], [0.1, 0.9], [0.6, -0.8]])[speakers.person]
    persons = replace(speakers, embedding=known, min_similarity=0.25)
    assert persons.mains == [[0, 2]] and persons.others == [[1]]
    assert chosen(persons, "identity@51:40,0,55,15") == chosen(persons, "person@2") == [-1] * 50 + [1] * 40 + [-1] * 20
    assert chosen(persons, "identity@1:0,0,15,15") == [0] * 50 + [-1] * 40 + [2] * 20
    takes_over = [0] * 50 + [1] * 40 + [2] * 20
    assert chosen(persons, "auto") == takes_over  # for more than takeover_s
    shorter = replace(persons, time_s=persons.time_s / 2)
    assert chosen(shorter, "auto") == [0] * 50 + [-1] * 40 + [2] * 20
    assert chosen(replace(shorter, embedding=None), "auto") == takes_over  # perhaps the same person


def test_after_a_cut_nothing_is_known_of_a_face_without_identities():
    # 0 for 4 s, a cut, then 1 in the same place for 5 s, of which the first 4 alone: nobody follows 0.
    tracks = {0: [(range(60), 0, 10)], 1: [(range(60, 110), 0, 10)], 2: [(range(100, 110), 90, 10)]}
    film = replace(make(tracks, 110), cut_index=[60])
    assert film.mains == [[0]] and film.others == [[1], [2]]
    assert chosen(film, "auto") == [0] * 60 + [-1] * 50
    assert chosen(film, "person@1") == [0] * 60 + [-1] * 50
    assert chosen(film, "person@2") == [-1] * 60 + [1] * 50
    assert chosen(replace(film, cut_index=[]), "auto") == [0] * 60 + [1] * 50
    # A piece that tracking lost within a shot still belongs to its person.
    film = replace(make(tracks | {3: [(range(70), 0, 10)]}, 110), cut_index=[80])
    assert film.may_be([1], [0]) and film.may_be([3], [1]) is False


def test_no_box_is_interpolated_across_a_cut():
    persons = make({0: [([0, 3], 0, 10)]}, 4)
    assert filled(persons, "auto")[1] == ["detected", "interpolated", "interpolated", "detected"]
    assert filled(replace(persons, cut_index=[2]), "auto")[1] == ["detected", "absent", "absent", "detected"]


def test_a_taller_box_of_low_weight_is_not_the_main_person():
    # The back of a listener's head, score 0.6, is twice as tall as the speaker's face, score 0.87.
    persons = make({0: [(range(50), 0, 20)], 1: [(range(50), 100, 10)]}, 50)
    assert chosen(persons, "auto") == [0] * 50
    weighted = replace(persons, weight=np.array([0.6, 0.87])[persons.person] ** 3)
    assert chosen(weighted, "auto") == chosen(weighted, "person@1") == [1] * 50


def test_a_few_false_boxes_are_no_second_person():
    persons = make({0: [(range(100), 0, 10)], 1: [(range(0, 36, 6), 50, 10)]}, 100)
    assert persons.mains == [[0]]
    assert chosen(persons, "right") == [0] * 100
    assert chosen(replace(persons, time_s=persons.time_s / 3), "person@2") == [-1] * 100  # 6 frames: 0.2 s


frames = st.lists(st.integers(0, 29), max_size=20, unique=True)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(frames, st.integers(0, 100), st.integers(1, 40)), max_size=5),
    st.sampled_from(PERSONS),
)
def test_any_tracks_give_at_most_one_detection_per_frame(tracks, name):
    tracks = [track for track in tracks if track[0]]
    persons = make({who: [track] for who, track in enumerate(tracks)}, 30)
    chosen(persons, name)
    xyxy_px, status = filled(persons, name)
    assert [np.isnan(box).any() for box in xyxy_px] == [state == "absent" for state in status]
