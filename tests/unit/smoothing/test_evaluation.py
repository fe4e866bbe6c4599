"""Scores of folds: the frames that count, the labels that they meet, and the spread over the folds."""

import numpy as np
import pytest

from frame_expressions.artifacts.logits import LabelledLogits
from frame_expressions.challenge.scores import macro_f1
from frame_expressions.smoothing.ablation_scores import AblationFold, score_configuration
from frame_expressions.smoothing.evaluation import EvaluationSettings, score_folds, shift_labels
from frame_expressions.smoothing.smoothing import NO_SMOOTHING, Smoothing

AS_LABELLED = EvaluationSettings(num_resamples=10, seed=0, label_shift_frames=0)
AS_THE_AUTHORS = EvaluationSettings(num_resamples=10, seed=0, label_shift_frames=1)


def _fold(predicted, labels, complete=None):
    """Tracks by name with the classes that their logits name; labels and complete by track, too."""
    names, length = list(predicted), sum(map(len, predicted.values()))
    flat = [value for name in names for value in (complete[name] if complete else [True] * len(predicted[name]))]
    return LabelledLogits(
        {name: np.eye(8, dtype=np.float32)[predicted[name]] for name in names},
        {name: np.arange(len(predicted[name])) / 30 for name in names},
        {name: np.zeros(len(predicted[name]), bool) for name in names},
        labels=np.concatenate([labels[name] for name in names]).astype(np.int8),
        detected=np.ones(length, bool),
        padded_share=np.zeros(length, np.float32),
        complete=np.array(flat),
    )


ONE = _fold(
    {"a": [0, 0, 1, 1], "b": [2, 2, 2]},
    {"a": [0, 1, 1, -1], "b": [2, 0, 2]},
    {"a": [True, False, True, True], "b": [True, True, False]},
)
TWO = _fold({"c": [3, 3]}, {"c": [3, 4]}, {"c": [True, False]})
GROUPS = {"a": "a", "b": "b", "c": "c"}


def _score(folds, settings=AS_LABELLED, **more):
    return score_folds(folds, [NO_SMOOTHING] * len(folds), GROUPS, settings, **more)


def test_complete_frames_are_those_with_a_crop_and_audio():
    scores, _ = _score([ONE, TWO])
    # Of a: frames 1 and 3; frame 4 is unlabelled. Of b: frames 1 and 2. Of c: frame 1.
    # Class 0: one hit, one more label. Class 1 and 3: a hit each. Class 2: a hit and one more prediction.
    assert scores["macro_f1_complete"] == pytest.approx((2 / 3 + 1 + 2 / 3 + 1) / 8)
    assert scores["num_labelled_complete"] == 5 and scores["num_labelled"] == 8
    in_folds = [(2 / 3 + 1 + 2 / 3) / 8, 1 / 8]
    assert [row["macro_f1_complete"] for row in scores["folds"]] == pytest.approx(in_folds)
    assert scores["macro_f1_complete_mean"] == pytest.approx(sum(in_folds) / 2)
    half = (in_folds[0] - in_folds[1]) / 2
    assert scores["macro_f1_complete_std_ddof0"] == pytest.approx(half)
    assert scores["macro_f1_complete_std"] == pytest.approx(half * 2**0.5)


def test_both_standard_deviations_are_given():
    scores, _ = _score([ONE, TWO])
    # All labelled frames. Fold one: class 0 is hit once of two labels and two predictions, class 1 once of two labels
    # and one prediction, class 2 twice of two labels and three predictions. Fold two: class 3 once of one and two.
    in_folds = [(2 / 4 + 2 / 3 + 4 / 5) / 8, (2 / 3) / 8]
    assert [row["macro_f1"] for row in scores["folds"]] == pytest.approx(in_folds)
    half = (in_folds[0] - in_folds[1]) / 2
    assert scores["macro_f1_std_ddof0"] == pytest.approx(half)
    assert scores["macro_f1_std"] == pytest.approx(half * 2**0.5)
    single, _ = _score([ONE])
    assert single["macro_f1_std"] is single["macro_f1_std_ddof0"] is None


def test_a_fold_without_a_complete_frame_has_no_score_of_them():
    scores, _ = _score([ONE, _fold({"c": [3, 3]}, {"c": [3, 4]}, {"c": [False, False]})])
    assert scores["folds"][1]["macro_f1_complete"] is None and scores["macro_f1_complete_mean"] is None
    assert scores["macro_f1_complete_std"] is scores["macro_f1_complete_std_ddof0"] is None
    assert scores["macro_f1_complete"] == pytest.approx((2 / 3 + 1 + 2 / 3) / 8)


def test_labels_move_by_a_frame_within_their_track():
    moved = shift_labels(ONE, 1)
    assert moved.labels.tolist() == [-1, 0, 1, 1, -1, 2, 0]
    assert shift_labels(ONE, 0).labels.tolist() == ONE.labels.tolist() == [0, 1, 1, -1, 2, 0, 2]
    assert shift_labels(_fold({"a": [0], "b": [1, 1]}, {"a": [0], "b": [1, 2]}), 1).labels.tolist() == [-1, -1, 1]


def test_every_figure_is_of_the_moved_labels():
    scores, tracks = _score([ONE, TWO], AS_THE_AUTHORS)
    # Labels of a: -, 0, 1, 1 meet 0, 0, 1, 1; of b: -, 2, 0 meet 2, 2, 2; of c: -, 3 meet 3, 3.
    truth, predicted = np.array([0, 1, 1, 2, 0, 3]), np.array([0, 1, 1, 2, 2, 3])
    assert scores["macro_f1"] == scores["macro_f1_unsmoothed"] == scores["macro_f1_detected"]
    assert scores["macro_f1"] == pytest.approx(macro_f1(truth, predicted))
    assert scores["folds"][1]["macro_f1"] == pytest.approx(1 / 8)
    assert scores["num_labelled"] == np.sum(scores["confusion"]) == 6
    # The completeness is that of the predicted frame: of a frames 3 and 4, of b frame 2.
    assert scores["num_labelled_complete"] == 3 and scores["macro_f1_complete"] == pytest.approx(2 / 8)
    assert tracks.set_index("track")["accuracy"].to_dict() == {"a": 1.0, "b": 0.5, "c": 1.0}


def test_kinds_are_compared_at_one_window():
    window = [NO_SMOOTHING, Smoothing("mean", 3, None), Smoothing("vote", 3, None)]
    one = _fold({"a": [0, 1, 0, 0]}, {"a": [0, 0, 0, 1]})
    two = _fold({"c": [3, 3]}, {"c": [3, 4]})
    scores, _ = _score([one, two], compared=window)
    assert list(scores["by_kind"]) == ["none", "mean", "vote"]
    none, vote = scores["by_kind"]["none"], scores["by_kind"]["vote"]
    assert none["macro_f1"] == scores["macro_f1_unsmoothed"]
    assert none["macro_f1_mean"] == pytest.approx((4 / 6 + 4 / 6) / 16)
    # The vote turns the lonely 1 into a 0: class 0 then is hit three times of three labels and four predictions.
    assert vote["macro_f1_mean"] == pytest.approx((6 / 7 + 2 / 3) / 16)
    assert vote["macro_f1_std_ddof0"] == pytest.approx((6 / 7 - 2 / 3) / 16)
    assert vote["macro_f1_complete_mean"] == vote["macro_f1_mean"]
    assert "by_kind" not in _score([one])[0]


def test_the_ablation_scores_the_same_frames():
    fold = AblationFold(ONE, ONE, [NO_SMOOTHING])
    scores, counts = score_configuration([fold], None, np.zeros(7, bool), GROUPS, AS_LABELLED)
    assert counts.sum() == scores["num_labelled"]
    assert scores["macro_f1_complete"] == pytest.approx((2 / 3 + 1 + 2 / 3) / 8) and scores["num_complete"] == 4
    moved, _ = score_configuration([fold], None, np.zeros(7, bool), GROUPS, AS_THE_AUTHORS)
    assert moved["num_labelled"] == 5 and moved["num_complete"] == 3
    assert moved["macro_f1"] == pytest.approx(_score([ONE], AS_THE_AUTHORS)[0]["macro_f1"])
