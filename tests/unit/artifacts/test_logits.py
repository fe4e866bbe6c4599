import numpy as np
import pytest

from frame_expressions.artifacts.logits import (
    join_labelled,
    mean_logits,
    read_imputed,
    read_labelled_logits,
    read_logits,
    read_presence,
    write_logits,
)
from frame_expressions.artifacts.provenance import provenance_of
from frame_expressions.runtime.errors import InputError


def _logits(seed, **lengths):
    rng = np.random.default_rng(seed)
    return {track: rng.normal(size=(length, 8)).astype(np.float32) for track, length in lengths.items()}


def _present(logits):
    length = sum(map(len, logits.values()))
    number = np.arange(length)
    return {"face_present": number % 3 > 0, "audio_present": number % 2 > 0, "imputed": number % 6 == 0}


def test_round_trip(tmp_path):
    logits = _logits(0, b=3, a=2)
    write_logits(logits, tmp_path / "test.parquet", provenance_of({}), _present(logits))
    found = read_logits(tmp_path / "test.parquet")
    assert list(found) == ["b", "a"]
    assert all(np.array_equal(found[track], logits[track]) for track in logits)
    assert list(read_logits(tmp_path / "test.parquet", ["a", "c"])) == ["a"]
    face, audio = read_presence(tmp_path / "test.parquet", ["a", "c"])["a"]
    assert face.tolist() == [False, True] and audio.tolist() == [True, False]
    imputed = read_imputed(tmp_path / "test.parquet")
    assert list(imputed) == ["b", "a"]
    assert imputed["b"].tolist() == [True, False, False] and imputed["a"].tolist() == [False, False]
    write_logits({}, tmp_path / "none.parquet", provenance_of({}), _present({}))
    assert read_logits(tmp_path / "none.parquet") == read_logits(tmp_path / "none.parquet", ["a"]) == {}


def test_a_track_is_whole_wherever_a_row_group_ends(tmp_path):
    logits = _logits(0, b=8000, a=9000, c=20_000)
    write_logits(logits, tmp_path / "test.parquet", provenance_of({}), _present(logits))
    for track in logits:
        assert np.array_equal(read_logits(tmp_path / "test.parquet", [track])[track], logits[track])


def test_labelled_frames_are_read_by_what_they_serve_and_joined(tmp_path):
    logits = _logits(0, b=3, a=2)
    frames = {
        **_present(logits),
        "label": np.array([0, 1, -1, 7, 6], np.int8),
        "time_s": np.array([0, 0.1, 0.2, 0, 0.04]),
        "detected": np.array([True, False, True, True, False]),
        "padded_share": np.array([0, 0.5, 0, 0.25, 0], np.float32),
        "selection": np.array([True, True, True, False, False]),
        "heldout": np.array([False, False, False, True, True]),
    }
    write_logits(logits, tmp_path / "val.parquet", provenance_of({}), frames)
    heldout = read_labelled_logits(tmp_path / "val.parquet", "heldout")
    assert list(heldout.logits) == ["a"] and np.array_equal(heldout.logits["a"], logits["a"])
    assert heldout.labels.tolist() == [7, 6]
    assert heldout.time_s["a"].tolist() == [0, 0.04]
    assert heldout.imputed["a"].tolist() == [False, False]
    assert heldout.detected.tolist() == [True, False]
    assert heldout.padded_share.tolist() == [0.25, 0.0]
    both = join_labelled([heldout, read_labelled_logits(tmp_path / "val.parquet", "selection")])
    assert list(both.logits) == ["a", "b"] and list(both.time_s) == ["a", "b"]
    assert both.labels.tolist() == [7, 6, 0, 1, -1]
    assert both.imputed["b"].tolist() == [True, False, False]


def test_folds_are_averaged_and_must_cover_the_same_frames(tmp_path):
    one, two = _logits(0, a=2), _logits(1, a=2)
    for name, logits in (("one", one), ("two", two), ("longer", _logits(2, a=3))):
        write_logits(logits, tmp_path / name, provenance_of({}), _present(logits))
    mean = mean_logits([tmp_path / "one", tmp_path / "two"])
    assert mean["a"] == pytest.approx((one["a"] + two["a"]) / 2, abs=1e-6)
    with pytest.raises(InputError, match="hold different frames"):
        mean_logits([tmp_path / "one", tmp_path / "longer"])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_logits_that_are_no_numbers_are_refused_and_not_written(tmp_path, value):
    logits = {"a": np.zeros((2, 8), np.float32), "b": np.zeros((3, 8), np.float32)}
    logits["b"][1, 4] = value
    with pytest.raises(InputError, match=r"logits of b that are not finite.*lower fusion\.training\.lr"):
        write_logits(logits, tmp_path / "logits.parquet", {}, _present(logits))
    assert not list(tmp_path.iterdir())
