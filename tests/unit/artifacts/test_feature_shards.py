import numpy as np
import pyarrow as pa
import pytest

from frame_expressions.artifacts.feature_shards import FeatureShards, write_shard
from frame_expressions.artifacts.provenance import provenance_of
from frame_expressions.artifacts.schemas import AUDIO_INDEX
from frame_expressions.runtime.errors import InputError


def _write(folder, name, features, tracks, present):
    frames = np.concatenate([np.arange(1, tracks.count(track) + 1) for track in dict.fromkeys(tracks)])
    columns = {"track": pa.array(tracks), "frame": pa.array(frames), "present": pa.array(present)}
    paths = folder / f"{name}.npy", folder / f"{name}.parquet"
    write_shard(*paths, np.asarray(features, np.float32), AUDIO_INDEX, columns, provenance_of({}))
    return paths


def test_tracks_come_back_whole_and_in_order(tmp_path):
    first = _write(tmp_path, "a", [[1, 1], [2, 2], [3, 3]], ["t1", "t1", "t2"], [True, False, True])
    second = _write(tmp_path, "b", [[4, 4]], ["t3"], [True])
    shards = FeatureShards([first, second])
    features, present = shards["t1"]
    assert features[:].dtype == np.float16
    assert features[:].tolist() == [[1, 1], [2, 2]] and present.tolist() == [True, False]
    stacked, there = shards.stacked(["t3", "t2"])
    assert stacked[:].tolist() == [[4, 4], [3, 3]] and there.tolist() == [True, True]
    assert shards["skipped"][0][:].shape == (0, 2)


def test_no_tracks_stack_to_nothing(tmp_path):
    shards = FeatureShards([_write(tmp_path, "a", [[1, 1]], ["t1"], [True])])
    features, present = shards.stacked([])
    assert features[:].shape == (0, 2) and present.shape == (0,)


def test_any_rows_are_read_from_whichever_files_hold_them(tmp_path):
    rng = np.random.default_rng(0)
    tracks = {"t1": 7, "t2": 1, "t3": 5, "t4": 6}
    values = {track: rng.normal(size=(count, 3)).astype(np.float16) for track, count in tracks.items()}
    paths = []
    for name, held in (("a", ["t3", "t1"]), ("b", ["t4", "t2"])):
        features = np.concatenate([values[track] for track in held])
        paths.append(_write(tmp_path, name, features, [t for t in held for _ in values[t]], np.ones(len(features))))
    rows, present = FeatureShards(paths).stacked(["t1", "missing", "t2", "t3", "t4"])
    expected = np.concatenate([values[track] for track in tracks])
    assert rows.shape == (19, 3) and len(rows) == len(present) == 19
    for wanted in (
        np.arange(19),
        np.array([], int),
        np.array([6, 7, 8]),  # over the ends of two tracks
        np.array([18, 0, 1, 2, 9, 9]),
        rng.permutation(19),
    ):
        assert np.array_equal(rows[wanted], expected[wanted])
    assert np.array_equal(rows[5:17:3], expected[5:17:3])
    out = np.zeros((4, 3), np.float16)
    assert rows.take(np.array([2, 3]), axis=0, out=out[1:3]) is not None
    assert np.array_equal(out, np.concatenate([np.zeros((1, 3)), expected[2:4], np.zeros((1, 3))]))
    with pytest.raises(IndexError):
        rows[np.array([19])]


def test_a_file_that_is_cut_off_is_named(tmp_path):
    npy, index = _write(tmp_path, "a", np.ones((5, 4)), ["t1"] * 5, [True] * 5)
    rows, _ = FeatureShards([(npy, index)])["t1"]
    npy.write_bytes(npy.read_bytes()[:-6])
    assert rows[:4].shape == (4, 4)
    for read in (lambda: rows[:], lambda: FeatureShards([(npy, index)])):
        with pytest.raises(InputError, match=r"a\.npy .*delete it and run the workflow again"):
            read()


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
