import numpy as np
import pytest
from scipy import ndimage

from frame_expressions.artifacts.logits import LabelledLogits
from frame_expressions.challenge.scores import macro_f1
from frame_expressions.runtime.errors import InputError
from frame_expressions.smoothing import track_smoother
from frame_expressions.smoothing.search import SmoothingSearchSettings, search
from frame_expressions.smoothing.smoothing import (
    NO_SMOOTHING,
    Smoothing,
    frame_interval_s,
    smooth_logits,
    smooth_tracks,
)
from frame_expressions.smoothing.track_smoother import KINDS, TrackSmoother


def _frames(tracks, rates_fps, labels, imputed=None):
    length = len(labels)
    return LabelledLogits(
        logits=dict(enumerate(tracks)),
        imputed=imputed or {number: np.zeros(len(track), bool) for number, track in enumerate(tracks)},
        time_s={number: np.arange(len(tracks[number])) / fps for number, fps in enumerate(rates_fps)},
        labels=labels,
        detected=np.ones(length, bool),
        padded_share=np.zeros(length),
        complete=np.ones(length, bool),
    )


def _slowly(logits, kind, window):
    half = window // 2
    padded = np.pad(logits, ((half, half), (0, 0)), mode="edge")
    votes = np.eye(logits.shape[1])[padded.argmax(axis=1)]
    offsets = np.arange(-half, half + 1)
    bell = np.exp(-0.5 * (offsets / (window / 4)) ** 2)
    bell /= bell.sum()
    scores = []
    for start in range(len(logits)):
        part = padded[start : start + window]
        scores.append(
            {
                "none": logits[start],
                "mean": part.mean(axis=0),
                "median": np.median(part, axis=0),
                "gaussian": bell @ part,
                "vote": votes[start : start + window].sum(axis=0),
            }[kind]
        )
    return np.argmax(scores, axis=1)


def _slow_scores(logits, kind, window):
    """What scipy makes of it, [T, C]."""
    if kind == "mean":
        return ndimage.uniform_filter1d(logits, window, axis=0, mode="nearest")
    if kind == "median":
        return np.stack([ndimage.median_filter(column, window, mode="nearest") for column in logits.T], axis=1)
    if kind == "gaussian":
        return ndimage.gaussian_filter1d(logits, window / 4, axis=0, mode="nearest", radius=window // 2)
    votes = np.eye(logits.shape[1], dtype=int)[logits.argmax(axis=1)]
    return ndimage.correlate1d(votes, np.ones(window, int), axis=0, mode="nearest")


def _film(length, num_classes=8, seed=0):
    """Logits float32 that wander slowly under noise: neighbouring classes come near each other."""
    rng = np.random.default_rng(seed)
    steps = rng.normal(size=(length, num_classes))
    return (0.1 * steps.cumsum(axis=0) + rng.normal(size=steps.shape)).astype(np.float32)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("window", [1, 3, 9, 41])
@pytest.mark.parametrize("length", [1, 5, 60])
def test_equals_a_slow_loop(kind, window, length):
    logits = np.random.default_rng(window * length).normal(size=(length, 4))
    assert smooth_logits(logits, kind, window).tolist() == _slowly(logits, kind, window).tolist()


@pytest.mark.parametrize("kind", ["mean", "median", "gaussian", "vote"])
def test_all_windows_of_one_smoother_equal_scipy(kind):
    logits = _film(3000)
    smoother = TrackSmoother(logits, 205)
    for window in (205, 3, 51, 103, 5):
        expected = _slow_scores(logits.astype(np.float64), kind, window).argmax(axis=1)
        assert np.array_equal(smoother.classes(kind, window), expected)
        assert np.array_equal(smooth_logits(logits, kind, window), expected)


@pytest.mark.parametrize("kind", ["mean", "median", "vote"])
@pytest.mark.parametrize("window", [3, 9, 41])
def test_ties_of_few_values_go_to_the_lower_class(kind, window):
    # Small whole numbers: sums are exact, and nearly every frame has several highest classes.
    logits = np.random.default_rng(window).integers(0, 3, size=(400, 8)).astype(np.float32)
    expected = _slowly(logits, kind, window)
    assert smooth_logits(logits, kind, window).tolist() == expected.tolist()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("window", [3, 41])
def test_of_two_equal_classes_the_lower_wins(kind, window):
    logits = _film(500)
    logits[:, [1, 3, 6]] += 3
    logits[:, 6] = logits[:, 3]
    found = smooth_logits(logits, kind, window)
    assert set(found) >= {1, 3} and 6 not in found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [0.0, 0.1, -1e6])
def test_equal_logits_everywhere_give_the_first_class(kind, value):
    assert not smooth_logits(np.full((300, 8), value, np.float32), kind, 31).any()


@pytest.mark.parametrize("kind", ["mean", "median", "gaussian"])
def test_the_least_differences_decide(kind):
    # After such a start neither sums nor transforms nor levels tell the classes apart: only settled windows do.
    logits = np.repeat(_film(400, 1).astype(np.float64), 3, axis=1)
    logits += 1e-9 * np.random.default_rng(0).normal(size=logits.shape)
    logits[:20] *= 1e6
    expected = _slowly(logits[20:], kind, 21)
    assert smooth_logits(logits, kind, 21)[30:].tolist() == expected[10:].tolist()


def test_frames_in_question_may_be_settled_in_small_parts(monkeypatch):
    logits = _film(500)
    expected = smooth_logits(logits, "median", 31)
    monkeypatch.setattr(track_smoother, "SETTLED_AT_ONCE", 31 * 8 * 3)
    assert np.array_equal(smooth_logits(logits, "median", 31), expected)


def test_a_track_longer_than_short_integers_count():
    # Of class 0 every frame is above the lower levels; its sums pass 32,767 where class 1 is above the lowest alone.
    logits = np.full((50_000, 2), 2.0)
    logits[:, 1] = np.where(np.arange(len(logits)) < 25_000, -1, 1)
    assert not smooth_logits(logits, "median", 5).any()


def _slowly_counting(logits, kind, window, counted):
    """Classes if only some frames count, frame by frame."""
    half, last = window // 2, len(logits) - 1
    offsets = np.arange(-half, half + 1)
    bell = np.exp(-0.5 * (offsets / (window / 4)) ** 2)
    classes = []
    for frame in range(len(logits)):
        window_frames = np.clip(frame + offsets, 0, last)
        counts = counted[window_frames]
        part = logits[window_frames[counts]].astype(np.float64)
        if kind == "none":
            score = logits[frame]
        elif len(part) == 0:
            known = np.flatnonzero(counted)
            score = logits[known[np.abs(known - frame).argmin()]]  # the first, so the earlier, of two equally near
        elif kind == "gaussian":
            score = np.average(part, axis=0, weights=bell[counts])
        elif kind == "vote":
            score = np.bincount(part.argmax(axis=1), minlength=logits.shape[1])
        else:
            score = {"mean": np.mean, "median": np.median}[kind](part, axis=0)
        classes.append(int(np.argmax(score)))
    return classes


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("window", [1, 3, 9, 41, 205])
@pytest.mark.parametrize(("length", "share"), [(1, 1.0), (5, 0.5), (60, 0.5), (300, 0.9), (300, 0.1), (300, 0.01)])
def test_frames_that_do_not_count_equal_a_slow_loop(kind, window, length, share):
    logits = _film(length, seed=window)
    counted = np.random.default_rng(length + window).random(length) < share
    counted[length // 2] = True
    expected = _slowly_counting(logits, kind, window, counted)
    assert smooth_logits(logits, kind, window, counted).tolist() == expected
    assert TrackSmoother(logits, 301, counted).classes(kind, window).tolist() == expected


@pytest.mark.parametrize("kind", ["mean", "median", "vote"])
@pytest.mark.parametrize("window", [3, 9, 41])
def test_ties_of_frames_that_count_go_to_the_lower_class(kind, window):
    rng = np.random.default_rng(window)
    logits = rng.integers(0, 3, size=(400, 8)).astype(np.float32)
    counted = rng.random(400) < 0.5
    expected = _slowly_counting(logits, kind, window, counted)
    assert smooth_logits(logits, kind, window, counted).tolist() == expected


def test_an_even_number_of_frames_that_count_has_the_mean_of_the_middle_two_as_its_median():
    # Window 3 around the second frame: class 0 has 0 and 4, mean 2; class 1 has 3 and 0, mean 1.5.
    logits = np.array([[0.0, 3.0], [0.0, 9.0], [4.0, 0.0]])
    assert smooth_logits(logits, "median", 3, np.array([True, False, True])).tolist() == [1, 0, 0]
    assert smooth_logits(logits, "median", 3).tolist() == [1, 1, 0]


def test_a_repeated_end_counts_if_its_frame_does():
    logits = np.array([[0.0, 1.0], [1.5, 0.0], [1.5, 0.0]])
    # Window 5 around the first frame: that frame three times, then the two others.
    assert smooth_logits(logits, "mean", 5, np.array([True, True, False]))[0] == 1  # 1.5 to 3
    assert smooth_logits(logits, "mean", 5, np.array([False, True, True]))[0] == 0  # 3 to 0


def test_a_window_without_a_frame_that_counts_takes_the_nearest_one():
    logits = np.eye(3)[[0, 2, 2, 2, 1, 2]]
    counted = np.array([True, False, False, False, True, False])
    for kind in ("mean", "median", "gaussian", "vote"):
        assert smooth_logits(logits, kind, 3, counted).tolist() == [0, 0, 0, 1, 1, 1], kind
        assert smooth_logits(logits, kind, 1, counted).tolist() == [0, 0, 0, 1, 1, 1], kind
    assert smooth_logits(logits, "none", 1, counted).tolist() == [0, 2, 2, 2, 1, 2]


@pytest.mark.parametrize("kind", KINDS)
def test_a_track_in_which_all_or_no_frames_count_is_smoothed_as_without_them(kind):
    logits = _film(300)
    expected = smooth_logits(logits, kind, 31).tolist()
    for counted in (np.ones(300, bool), np.zeros(300, bool)):
        assert smooth_logits(logits, kind, 31, counted).tolist() == expected


@pytest.mark.parametrize("kind", ["mean", "median", "gaussian", "vote"])
def test_frames_that_do_not_count_are_settled_in_small_parts_and_say_nothing(kind, monkeypatch):
    monkeypatch.setattr(track_smoother, "SETTLED_AT_ONCE", 31 * 8 * 3)
    logits, counted = _film(500), np.arange(500) % 7 > 2
    expected = _slowly_counting(logits, kind, 31, counted)
    logits[~counted] = 1e6 * np.eye(8, dtype=np.float32)[5]  # loud, but unheard
    assert smooth_logits(logits, kind, 31, counted).tolist() == expected


def test_imputed_frames_count_unless_they_are_excluded():
    logits, imputed = np.array([[0.0, 9.0], [1.0, 0.0], [1.0, 0.0]]), np.array([True, False, False])
    times = np.arange(3) / 30
    assert Smoothing("mean", 3, None).classes(logits, times, imputed).tolist() == [1, 1, 0]
    assert Smoothing("mean", 3, None, "exclude").classes(logits, times, imputed).tolist() == [0, 0, 0]


def test_an_unknown_kind():
    with pytest.raises(ValueError, match="'mode'; one of none, mean"):
        smooth_logits(_film(9), "mode", 3)


@pytest.mark.parametrize("kind", KINDS)
def test_window_one_changes_nothing(kind):
    logits = np.random.default_rng(0).normal(size=(30, 8))
    assert smooth_logits(logits, kind, 1).tolist() == logits.argmax(axis=1).tolist()


def test_a_single_wrong_frame_is_mended():
    logits = np.zeros((9, 2))
    logits[:, 0] = 1.0
    logits[4] = [0.0, 5.0]
    assert smooth_logits(logits, "median", 3).tolist() == [0] * 9
    assert smooth_logits(logits, "vote", 3).tolist() == [0] * 9


def test_equal_votes_go_to_the_lower_class():
    logits = np.eye(3)[[2, 0, 1]]
    assert smooth_logits(logits, "vote", 3).tolist() == [2, 0, 1]
    assert smooth_logits(np.eye(3)[[2, 1, 0, 0]], "vote", 3)[1] == 0


def test_no_frames_and_even_windows():
    assert smooth_logits(np.zeros((0, 8)), "mean", 5).shape == (0,)
    with pytest.raises(ValueError, match="odd"):
        smooth_logits(np.zeros((3, 8)), "mean", 4)


def test_search_keeps_tracks_apart():
    # Smoothed end to end, the first track's last frame would change class.
    first, second = np.eye(8)[[0, 0, 0]] * 2.0, np.eye(8)[[1, 1, 1]] * 9.0
    labels = np.array([0, 0, 0, 1, 1, -1])
    scores = search(_frames([first, second], [30, 30], labels), [NO_SMOOTHING, Smoothing("mean", 3, None)])
    assert [score for _, score in scores] == pytest.approx([0.25, 0.25])  # two of eight classes, both right


@pytest.mark.parametrize(
    ("window_frames", "fps", "expected"),
    [(31, 30, 31), (31, 7.5, 7), (31, 60, 63), (31, 25, 25), (3, 7.5, 1), (9, 24, 7)],
)
def test_a_window_lasts_as_long_in_every_video(window_frames, fps, expected):
    times = 100 + np.arange(50) / fps
    assert Smoothing("mean", window_frames, 30).frames_of(frame_interval_s(times)) == expected
    assert Smoothing("mean", window_frames, None).frames_of(frame_interval_s(times)) == window_frames
    assert Smoothing("mean", window_frames, 30).frames_of(frame_interval_s(times[:1])) == window_frames


def test_one_missing_frame_does_not_change_the_window():
    times = np.delete(np.arange(50) / 30, 20)
    assert Smoothing("mean", 31, 30).frames_of(frame_interval_s(times)) == 31


def test_each_track_is_smoothed_at_its_own_rate():
    rng = np.random.default_rng(3)
    tracks = [rng.normal(size=(40, 8)) for _ in range(2)]
    frames = _frames(tracks, [30, 10], np.zeros(80, np.int8))
    expected = [smooth_logits(tracks[0], "median", 9), smooth_logits(tracks[1], "median", 3)]
    assert smooth_tracks(frames, Smoothing("median", 9, 30)).tolist() == np.concatenate(expected).tolist()


@pytest.mark.parametrize("windows_at_fps", [None, 30])
@pytest.mark.parametrize("imputed", ["include", "exclude"])
def test_search_gives_the_scores_of_smoothed_tracks(windows_at_fps, imputed):
    rng = np.random.default_rng(4)
    tracks = [_film(length, seed=length) for length in (1, 90, 400)]
    filled = {number: rng.random(len(track)) < 0.3 for number, track in enumerate(tracks)}
    frames = _frames(tracks, [30, 60, 12], rng.integers(-1, 8, 491).astype(np.int8), filled)
    kinds = ["median", "vote", "mean", "gaussian"]
    candidates = SmoothingSearchSettings(kinds, [3, 31, 99], windows_at_fps, imputed).candidates
    shown = []

    def watch(tracks):
        for track in tracks:
            shown.append(track)
            yield track

    found = search(frames, candidates, watch)
    assert found == [(tried, macro_f1(frames.labels, smooth_tracks(frames, tried))) for tried in candidates]
    assert len({score for _, score in found}) > 6
    assert len(shown) == 3


def test_search_without_a_labelled_frame():
    with pytest.raises(InputError, match="No frame is labelled"):
        search(_frames([np.eye(8)], [30], np.full(8, -1)), [NO_SMOOTHING])
