import numpy as np
import pytest

from workflow_scripts.lib.artifacts import made_by
from workflow_scripts.lib.errors import InputError
from workflow_scripts.lib.logits import mean_logits, read_logits, write_logits


def _logits(seed, **lengths):
    rng = np.random.default_rng(seed)
    return {track: rng.normal(size=(length, 8)).astype(np.float32) for track, length in lengths.items()}


def test_round_trip_with_and_without_classes(tmp_path):
    logits = _logits(0, b=3, a=2)
    write_logits(logits, tmp_path / "val.parquet", made_by({}), np.array([0, 1, -1, 7, 7], np.int8))
    found, expression = read_logits(tmp_path / "val.parquet")
    assert list(found) == ["b", "a"]
    assert all(np.array_equal(found[track], logits[track]) for track in logits)
    assert expression.tolist() == [0, 1, -1, 7, 7]
    write_logits({}, tmp_path / "none.parquet", made_by({}))
    assert read_logits(tmp_path / "none.parquet") == ({}, None)


def test_folds_are_averaged_and_must_cover_the_same_frames(tmp_path):
    one, two = _logits(0, a=2), _logits(1, a=2)
    for name, logits in (("one", one), ("two", two), ("longer", _logits(2, a=3))):
        write_logits(logits, tmp_path / name, made_by({}))
    mean = mean_logits([tmp_path / "one", tmp_path / "two"])
    assert mean["a"] == pytest.approx((one["a"] + two["a"]) / 2, abs=1e-6)
    with pytest.raises(InputError, match="hold different frames"):
        mean_logits([tmp_path / "one", tmp_path / "longer"])
