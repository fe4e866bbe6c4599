import numpy as np
import pytest

from frame_expressions.demo.story import GRID_HZ, deal_expressions, draw_informative, grid_points, tell_story


@pytest.mark.parametrize(("num_tracks", "clip_s"), [(12, 9.0), (6, 9.0), (1, 1.0), (2, 3.0)])
def test_a_split_holds_all_expressions_evenly(num_tracks, clip_s):
    dealt = deal_expressions(num_tracks, clip_s, np.random.default_rng(0))
    assert len(dealt) == num_tracks
    counts = np.bincount(np.concatenate(dealt), minlength=8)
    assert counts.min() >= 1
    assert counts.max() - counts.min() <= 1


@pytest.mark.parametrize("share", [0.2, 0.35, 0.6])
def test_gaps_take_their_share_of_the_time(share):
    informative = draw_informative(400_000, share, np.random.default_rng(1))
    assert 1 - informative.mean() == pytest.approx(share, abs=0.02)


def test_a_share_of_nothing_leaves_no_gap():
    assert draw_informative(1000, 0.0, np.random.default_rng(2)).all()


def test_without_gaps_the_face_always_shows_the_label():
    story = tell_story([3, 0, 5], 6.0, 0.0, np.random.default_rng(3))
    assert len(story.expression) == 6 * GRID_HZ
    assert list(dict.fromkeys(story.expression.tolist())) == [3, 0, 5]
    changes = np.flatnonzero(np.diff(story.expression))
    far = np.abs(np.arange(600)[:, None] - changes).min(axis=1) > 0.3 * GRID_HZ
    assert (story.face_weights[far].argmax(axis=1) == story.expression[far]).all()
    assert story.face_informative.all()


def test_expressions_come_gradually():
    story = tell_story([1, 6], 4.0, 0.0, np.random.default_rng(4))
    assert np.abs(np.diff(story.face_weights, axis=0)).max() < 0.1


def test_a_gap_never_shows_the_label_in_full():
    rng = np.random.default_rng(5)
    for expression in range(8):
        story = tell_story([expression], 60.0, 0.5, rng)
        outside = np.convolve(story.face_informative, np.ones(61), "same") == 0  # 0.3 s from any cue
        assert outside.any()
        assert story.face_weights[outside, expression].max() < 0.5


def test_grid_points_stay_on_the_grid():
    assert grid_points(np.array([0.0, 0.014, 0.5, 99.0]), 100).tolist() == [0, 1, 50, 99]
