"""The statistics of doubt, on tracks made by hand."""

import numpy as np
import pytest

from frame_expressions.faces.doubt import are_rivals, changes, doubt_of, evenly_spaced

BOX, AWAY = [100, 100, 140, 160], [400, 100, 440, 160]  # 60 px
STATUS = {"d": "detected", "i": "interpolated", "-": "absent"}


def track(letters, person=None, boxes=None, rate=10):
    """Arguments of `doubt_of` from a letter per frame; every frame has the box BOX unless `boxes` gives another."""
    status = [STATUS[letter] for letter in letters]
    xyxy_px = np.array([(boxes or {}).get(index, BOX) for index in range(len(letters))], float).reshape(-1, 4)
    xyxy_px[[state == "absent" for state in status]] = np.nan
    numbers = np.array(person or [0] * len(letters), int)
    return {"time_s": np.arange(len(letters)) / rate, "xyxy_px": xyxy_px, "status": status, "person": numbers}


def faces(*rows):
    """Faces from (frame from 0, box)."""
    return {
        "face_index": np.array([index for index, _ in rows], int),
        "face_xyxy_px": np.array([box for _, box in rows], float).reshape(-1, 4),
    }


def test_a_track_seen_throughout_alone_is_not_doubtful():
    found = doubt_of(**track("dddd"), **faces(*((index, BOX) for index in range(4))))
    assert found.doubt == 0 and found.detected_share == 1 and found.median_side_px == 60
    assert found.switches.shape == found.jumps.shape == (0, 2) and found.rival_share == 0


def test_absent_frames_count_whole_and_interpolated_ones_a_quarter():
    found = doubt_of(**track("di-d"), **faces())
    assert (found.detected_share, found.interpolated_share, found.absent_share) == (0.5, 0.25, 0.25)
    assert found.doubt == pytest.approx((0 + 0.25 + 1 + 0) / 4)


def test_another_face_of_similar_size_counts_half_also_where_interpolated():
    elsewhere, small, within = [300, 100, 330, 130], [300, 100, 329, 129], [105, 110, 145, 170]
    found = doubt_of(**track("dddi"), **faces((0, elsewhere), (1, small), (2, within), (3, elsewhere)))
    assert found.rival.tolist() == [True, False, False, True]  # 30 of 60 px is similar, 29 is not
    assert found.doubt == pytest.approx(2 * 0.5 / 4) and found.rival_share == 0.5


def test_without_a_choice_rivals_are_compared_with_the_tracks_median():
    some = track("d--")["xyxy_px"]
    found = faces((1, [0, 0, 30, 30]), (2, [0, 0, 20, 20]))
    assert are_rivals(some, **found).tolist() == [True, False]
    never = np.full((3, 4), np.nan)
    assert are_rivals(never, **found).tolist() == [True, True]


def test_switches_are_counted_between_detections_across_gaps():
    given = track("dd--did", person=[0, 0, -1, -1, 1, 1, 0])
    switches, jumps = changes(**given)
    assert switches.tolist() == [[1, 4], [4, 6]] and jumps.tolist() == []


def test_a_box_that_leaps_is_a_jump_unless_time_has_passed():
    moved = [117, 100, 157, 160]  # overlap 23 of 57 columns
    near = [110, 100, 150, 160]  # 30 of 50
    assert changes(**track("dd", boxes={1: moved}))[1].tolist() == [[0, 1]]
    assert changes(**track("dd", boxes={1: near}))[1].tolist() == []
    assert changes(**track("d---d", boxes={4: moved}))[1].tolist() == []
    switches, jumps = changes(**track("dd", person=[0, 1], boxes={1: moved}))
    assert len(switches) == 1 and len(jumps) == 0  # not counted twice


def test_frames_within_a_second_of_a_change_are_doubtful():
    given = track("d" * 40, person=[0] * 20 + [1] * 20)
    assert doubt_of(**given, **faces()).doubt == pytest.approx(21 / 40)  # frames 10 to 30
    given = track("d" * 40, boxes={index: AWAY for index in range(20, 40)})
    assert doubt_of(**given, **faces()).doubt == pytest.approx(21 / 40)


def test_changes_of_both_kinds_are_found_whatever_their_order():
    given = track("d" * 80, person=[0] * 60 + [1] * 20, boxes={index: AWAY for index in range(20, 60)})
    assert doubt_of(**given, **faces()).doubt == pytest.approx(42 / 80)


def test_no_faces_one_frame_and_no_frames():
    lost = doubt_of(**track("---"), **faces())
    assert lost.doubt == 1 and lost.median_side_px is None and lost.rival_share == 0
    one = doubt_of(**track("d"), **faces((0, BOX)))
    assert one.doubt == 0 and one.num_frames == 1
    none = doubt_of(**track(""), **faces())
    assert none.doubt == 0 and none.num_frames == 0 and none.median_side_px is None and len(none.rival) == 0


def test_doubt_orders_tracks_as_the_page_promises():
    elsewhere = [(index, [300, 100, 360, 160]) for index in range(10)]
    doubts = [
        doubt_of(**track("d" * 10), **faces()).doubt,
        doubt_of(**track("diiidddddd"), **faces()).doubt,
        doubt_of(**track("d" * 10), **faces(*elsewhere)).doubt,
        doubt_of(**track("dd--------"), **faces()).doubt,
    ]
    assert doubts == sorted(doubts) and len(set(doubts)) == 4


@pytest.mark.parametrize(
    ("num_frames", "count", "expected"),
    [(0, 12, []), (1, 12, [0]), (3, 12, [0, 1, 2]), (10, 1, [5]), (100, 4, [12, 37, 62, 87]), (5, 5, [0, 1, 2, 3, 4])],
)
def test_evenly_spaced_frames_are_the_middles_of_equal_parts(num_frames, count, expected):
    assert evenly_spaced(num_frames, count).tolist() == expected
