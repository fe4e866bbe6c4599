"""Boxes and smoothing against what they are by definition, computed slowly."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from frame_expressions.artifacts.vocabulary import DETECTED, INTERPOLATED
from frame_expressions.faces.boxes import iou
from frame_expressions.faces.crops import square_crop
from frame_expressions.faces.persons import Persons
from frame_expressions.faces.subject import interpolate_boxes
from frame_expressions.smoothing.smoothing import smooth_logits
from frame_expressions.smoothing.track_smoother import KINDS, TrackSmoother

edges = st.integers(-40, 80)
boxes = st.lists(st.tuples(edges, edges, st.integers(0, 60), st.integers(0, 60)), min_size=1, max_size=6).map(
    lambda found: np.array([(x, y, x + width, y + height) for x, y, width, height in found], np.float32)
)


def _pixels(box):
    return {(x, y) for x in range(int(box[0]), int(box[2])) for y in range(int(box[1]), int(box[3]))}


@settings(max_examples=40)
@given(boxes, boxes)
def test_overlap_is_the_share_of_pixels_in_both(some, others):
    overlap = iou(some, others)
    for row, box in enumerate(some):
        for column, other in enumerate(others):
            both, either = _pixels(box) & _pixels(other), _pixels(box) | _pixels(other)
            assert np.isclose(overlap[row, column], len(both) / len(either) if either else 0)
    assert np.allclose(overlap, iou(others, some).T)


@given(boxes, st.sampled_from([0.9, 1.2, 1.5]))
def test_a_crop_shows_the_pixels_under_its_square_and_black_outside(found, scale):
    box = found[0]
    x1, y1, x2, y2 = box.tolist()
    side = max(1, round(scale * max(x2 - x1, y2 - y1)))
    left, top = round((x1 + x2 - side) / 2), round((y1 + y2 - side) / 2)
    rows, columns = np.mgrid[top : top + side, left : left + side]
    # Every pixel encodes its own position, so a misplaced pixel is visible.
    height, width = 30, 40
    rgb = np.stack(np.mgrid[0:height, 0:width] + 1, axis=-1)[..., [0, 1, 0]].astype(np.uint8)
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    expected = np.where(inside[..., None], np.stack([rows, columns, rows], axis=-1) + 1, 0)
    crop, padded_share = square_crop(rgb, box, scale, side)  # its own size: nothing is resized
    assert np.array_equal(crop, expected)
    assert np.isclose(padded_share, 1 - inside.mean())


@given(
    st.lists(st.none() | st.tuples(st.integers(0, 2), edges), min_size=1, max_size=30),
    st.lists(st.floats(0.001, 0.4), min_size=30, max_size=30),
    st.sampled_from([0.0, 0.1, 0.5, 2.0]),
)
def test_a_filled_box_lies_on_the_line_between_two_sightings(seen, steps_s, max_gap_s):
    time_s = np.cumsum(steps_s)[: len(seen)]
    index = np.array([frame for frame, sighting in enumerate(seen) if sighting], int)
    who = np.array([sighting[0] for sighting in seen if sighting], np.int32)
    corner = np.array([sighting[1] for sighting in seen if sighting], np.float32)
    found = np.stack([corner, corner, corner + 10, corner + 20], axis=1).reshape(-1, 4)
    choice = np.full(len(seen), -1)
    choice[index] = np.arange(len(index))
    forced_absent = np.zeros(len(seen), bool)
    xyxy_px, status, number = interpolate_boxes(Persons(time_s, index, found, who), choice, forced_absent, max_gap_s)
    for frame, sighting in enumerate(seen):
        before, after = index[index < frame], index[index > frame]
        if sighting:
            assert status[frame] == DETECTED and np.array_equal(xyxy_px[frame], found[choice[frame]])
            continue
        is_between = len(before) and len(after) and seen[before[-1]][0] == seen[after[0]][0]
        if is_between and time_s[after[0]] - time_s[before[-1]] <= max_gap_s:
            assert status[frame] == INTERPOLATED and number[frame] == seen[before[-1]][0]
            ends = [before[-1], after[0]]
            expected = [np.interp(time_s[frame], time_s[ends], found[choice[ends], edge]) for edge in range(4)]
            assert np.allclose(xyxy_px[frame], expected, atol=1e-3)
        else:
            assert status[frame] == "absent" and number[frame] == -1 and np.isnan(xyxy_px[frame]).all()


logits = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 25), st.just(4)),
    # Whole and half numbers tie often, which is where the lowest class has to win; their sums are exact.
    elements=st.integers(-6, 6).map(lambda number: number / 2),
)
windows = st.integers(0, 20).map(lambda half: 2 * half + 1)


def _slowly(logits, kind, window):
    """Scores [T, C]: every frame's window gathered by itself, the ends repeated."""
    half = window // 2
    places = np.clip(np.arange(len(logits))[:, None] + np.arange(-half, half + 1), 0, len(logits) - 1)
    parts = logits.astype(np.float64)[places]  # [T, W, C]
    if kind == "mean":
        return parts.mean(axis=1)
    if kind == "median":
        return np.median(parts, axis=1)
    if kind == "vote":
        return np.eye(logits.shape[1])[parts.argmax(axis=2)].sum(axis=1)
    weights = np.exp(-0.5 * (np.arange(-half, half + 1) / (window / 4)) ** 2)
    return np.einsum("twc,w->tc", parts, weights / weights.sum())


@given(logits, windows, st.sampled_from([kind for kind in KINDS if kind != "none"]))
def test_smoothing_takes_the_highest_of_the_windows_scores(logits, window, kind):
    scores = _slowly(logits, kind, window)
    # A sum in another order may differ in its last bits: of scores as near as that either class is right.
    best = np.take_along_axis(scores, smooth_logits(logits, kind, window)[:, None].astype(int), axis=1)[:, 0]
    assert (best >= scores.max(axis=1) - 1e-9).all()
    if kind in ("median", "vote"):  # no sums: the lowest of equals
        assert smooth_logits(logits, kind, window).tolist() == scores.argmax(axis=1).tolist()


@given(logits, windows, st.sampled_from(KINDS))
def test_window_one_and_constants_stay_as_they_are(logits, window, kind):
    assert smooth_logits(logits, kind, 1).tolist() == logits.argmax(axis=1).tolist()
    constant = np.repeat(logits[:1], len(logits), axis=0)
    assert set(smooth_logits(constant, kind, window).tolist()) == {int(logits[0].argmax())}


@given(logits, windows, windows, st.sampled_from(KINDS))
def test_a_smoother_made_for_wider_windows_says_the_same(logits, window, wider, kind):
    widest = max(window, wider)
    assert TrackSmoother(logits, widest).classes(kind, window).tolist() == smooth_logits(logits, kind, window).tolist()
