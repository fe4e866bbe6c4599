import numpy as np
import pytest

from workflow_scripts.lib.logits import LabelledLogits
from workflow_scripts.lib.smoothing import KINDS, NO_SMOOTHING, Smoothing, search, smooth_logits, smooth_tracks


def _frames(tracks, rates_fps, expression):
    length = len(expression)
    return LabelledLogits(
        logits=dict(enumerate(tracks)),
        time_s={number: np.arange(len(tracks[number])) / fps for number, fps in enumerate(rates_fps)},
        expression=expression,
        detected=np.ones(length, bool),
        padded_share=np.zeros(length),
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


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("window", [1, 3, 9, 41])
@pytest.mark.parametrize("length", [1, 5, 60])
def test_equals_a_slow_loop(kind, window, length):
    logits = np.random.default_rng(window * length).normal(size=(length, 4))
    assert smooth_logits(logits, kind, window).tolist() == _slowly(logits, kind, window).tolist()


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
    expression = np.array([0, 0, 0, 1, 1, -1])
    scores = list(search(_frames([first, second], [30, 30], expression), [NO_SMOOTHING, Smoothing("mean", 3, None)]))
    assert [score for _, score in scores] == pytest.approx([0.25, 0.25])  # two of eight classes, both right


@pytest.mark.parametrize(
    ("window_frames", "fps", "expected"),
    [(31, 30, 31), (31, 7.5, 7), (31, 60, 63), (31, 25, 25), (3, 7.5, 1), (9, 24, 7)],
)
def test_a_window_lasts_as_long_in_every_video(window_frames, fps, expected):
    times = 100 + np.arange(50) / fps
    assert Smoothing("mean", window_frames, 30).frames_of(times) == expected
    assert Smoothing("mean", window_frames, None).frames_of(times) == window_frames
    assert Smoothing("mean", window_frames, 30).frames_of(times[:1]) == window_frames


def test_one_missing_picture_does_not_change_the_window():
    times = np.delete(np.arange(50) / 30, 20)
    assert Smoothing("mean", 31, 30).frames_of(times) == 31


def test_each_track_is_smoothed_at_its_own_rate():
    rng = np.random.default_rng(3)
    tracks = [rng.normal(size=(40, 8)) for _ in range(2)]
    frames = _frames(tracks, [30, 10], np.zeros(80, np.int8))
    expected = [smooth_logits(tracks[0], "median", 9), smooth_logits(tracks[1], "median", 3)]
    assert smooth_tracks(frames, Smoothing("median", 9, 30)).tolist() == np.concatenate(expected).tolist()
