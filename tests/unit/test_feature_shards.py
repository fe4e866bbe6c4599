import numpy as np
import pyarrow as pa
import pytest

from workflow_scripts.lib.artifacts import made_by
from workflow_scripts.lib.errors import InputError
from workflow_scripts.lib.feature_shards import FeatureShards, write_shard


def _write(folder, name, features, tracks, present):
    frames = np.concatenate([np.arange(1, tracks.count(track) + 1) for track in dict.fromkeys(tracks)])
    columns = {"track": pa.array(tracks), "frame": pa.array(frames), "present": pa.array(present)}
    paths = folder / f"{name}.npy", folder / f"{name}.parquet"
    write_shard(*paths, np.asarray(features, np.float32), columns, made_by({}))
    return paths


def test_tracks_come_back_whole_and_in_order(tmp_path):
    first = _write(tmp_path, "a", [[1, 1], [2, 2], [3, 3]], ["t1", "t1", "t2"], [True, False, True])
    second = _write(tmp_path, "b", [[4, 4]], ["t3"], [True])
    shards = FeatureShards([first, second])
    features, present = shards["t1"]
    assert features.dtype == np.float16
    assert features.tolist() == [[1, 1], [2, 2]] and present.tolist() == [True, False]
    stacked, there = shards.stacked(["t3", "t2"])
    assert stacked.tolist() == [[4, 4], [3, 3]] and there.tolist() == [True, True]
    assert shards["skipped"][0].shape == (0, 2)


def test_no_tracks_stack_to_nothing(tmp_path):
    shards = FeatureShards([_write(tmp_path, "a", [[1, 1]], ["t1"], [True])])
    features, present = shards.stacked([])
    assert features.shape == (0, 2) and present.shape == (0,)


def test_what_does_not_fit_into_half_precision_is_refused(tmp_path):
    for bad in (np.nan, np.inf, 1e6):
        with pytest.raises(InputError, match="not finite"):
            _write(tmp_path, "a", [[bad, 0]], ["t1"], [True])
    assert not list(tmp_path.iterdir())


def test_a_matrix_of_another_index_is_refused(tmp_path):
    matrix, _ = _write(tmp_path, "a", [[1, 1], [2, 2]], ["t1", "t1"], [True, True])
    _, index = _write(tmp_path, "b", [[1, 1]], ["t1"], [True])
    with pytest.raises(InputError, match=r"a\.npy has 2 rows but .*b\.parquet has 1"):
        FeatureShards([(matrix, index)])
