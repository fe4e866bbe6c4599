import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from frame_expressions.artifacts.parquet import write_parquet
from frame_expressions.demo import score as module
from frame_expressions.demo.score import reachable, read_predictions, score
from frame_expressions.runtime.errors import InputError


@pytest.fixture
def truth() -> pd.DataFrame:
    """Ten frames of one track, one to two of each expression; the sixth and the last have no cue at all."""
    expression = [0, 1, 2, 3, 4, 4, 5, 6, 7, 7]
    return pd.DataFrame(
        {
            "track": "a",
            "frame": np.arange(1, 11),
            "expression": expression,
            "visual_informative": [True, True, True, False, True, False, True, True, True, False],
            "audio_informative": [True, True, False, True, True, False, True, True, True, False],
        }
    )


def as_predictions(truth: pd.DataFrame, predicted: list[int]) -> pd.DataFrame:
    return truth[["track", "frame"]].assign(predicted=predicted)


def test_the_truth_scores_one(truth):
    scores = score(as_predictions(truth, truth["expression"].tolist()), truth)
    assert scores.macro_f1 == 1.0
    assert set(scores.parts.values()) == {(6, 1.0), (1, 1.0), (2, 1.0)}


def test_one_miss_by_hand(truth):
    # Expression 4 becomes 2 of 3 hits by F1 = 2/3 (1 of 2 found), expression 0 has a false alarm: F1 = 2/3.
    scores = score(as_predictions(truth, [0, 1, 2, 3, 4, 0, 5, 6, 7, 7]), truth)
    assert scores.macro_f1 == pytest.approx((6 + 2 / 3 + 2 / 3) / 8)
    assert scores.parts["no cue"] == (2, 0.5)


def test_rows_beyond_the_frames_do_not_count(truth):
    predicted = as_predictions(truth, truth["expression"].tolist())
    further = pd.DataFrame({"track": ["a", "b"], "frame": [11, 1], "predicted": [0, 0]})
    assert score(pd.concat([predicted, further]), truth).macro_f1 == 1.0


def test_a_frame_without_prediction_is_named(truth):
    with pytest.raises(InputError, match=r"1 frames .* frame 10 of a;"):
        score(as_predictions(truth, [0] * 10).iloc[:9], truth)


def test_reachable_goes_on_with_the_last_cue(truth):
    assert reachable(truth).tolist() == [0, 1, 2, 3, 4, 4, 5, 6, 7, 7]
    truth["expression"] = [1, 1, 2, 3, 4, 5, 5, 6, 7, 0]
    truth.loc[0, ["visual_informative", "audio_informative"]] = False
    assert reachable(truth).tolist() == [1, 1, 2, 3, 4, 4, 5, 6, 7, 7]


def test_reachable_keeps_to_the_track(truth):
    truth["track"] = ["a"] * 5 + ["b"] * 5
    assert reachable(truth)[5] == 5
    truth[["visual_informative", "audio_informative"]] = False
    assert reachable(truth).tolist() == [0] * 10


def test_the_command_prints_the_score(truth, tmp_path, monkeypatch, capsys):
    lines = [f"a/{frame:05d}.jpg,{label}" for frame, label in zip(truth["frame"], truth["expression"], strict=True)]
    header = "image_location,Neutral,Anger,Disgust,Fear,Happiness,Sadness,Surprise,Other"
    (tmp_path / "predictions.txt").write_text("\n".join([header, *lines]) + "\n")
    write_parquet(pa.Table.from_pandas(truth, preserve_index=False), tmp_path / "truth.parquet", {})
    arguments = ["--predictions", str(tmp_path / "predictions.txt"), "--truth", str(tmp_path / "truth.parquet")]
    monkeypatch.setattr("sys.argv", ["score", *arguments])
    module.main()
    assert capsys.readouterr().out.splitlines()[0] == "test macro-F1 1.0000"


def test_a_file_that_is_no_submission_is_refused(tmp_path):
    (tmp_path / "predictions.txt").write_text("header\nnonsense\n")
    with pytest.raises(InputError, match="not a submission file"):
        read_predictions(tmp_path / "predictions.txt")
    with pytest.raises(InputError, match="not a submission file"):
        read_predictions(tmp_path / "absent.txt")
