"""Which videos share a job, and which batches a shard."""

import pytest

from frame_expressions.artifacts.batch_folders import files_of
from frame_expressions.runtime.errors import InputError
from frame_expressions.workflow.batches import divide_into_batches, shard_of

TRAIN = {f"video{number:03d}": {"train"} for number in range(400)}


def test_batches_hold_every_video_once_in_order_and_about_as_many_as_asked():
    batches = divide_into_batches(TRAIN, 4)
    assert [video for batch in batches.values() for video in batch] == sorted(TRAIN)
    assert all(batch == videos[0] for batch, videos in batches.items())
    assert max(map(len, batches.values())) == 8 and 3 < len(TRAIN) / len(batches) < 5


def test_a_batch_of_one_is_named_after_its_video():
    assert divide_into_batches(TRAIN, 1) == {video: [video] for video in TRAIN}


def test_a_further_video_changes_the_batch_that_it_falls_into_and_no_other():
    before = divide_into_batches(TRAIN, 4)
    for name in ("a", "video123b", "video399b", "video200a"):
        after = divide_into_batches(TRAIN | {name: {"train"}}, 4)
        kept = [batch for batch, videos in before.items() if after.get(batch) == videos]
        # Where a batch was full, the ones behind it are cut anew until the next natural cut.
        assert len(before) - len(kept) <= 3
        assert len([batch for batch in after if before.get(batch) != after[batch]]) <= 4


def test_videos_of_different_splits_share_no_batch():
    videos = {"a": {"train"}, "b": {"test"}, "c": {"validation", "train"}, "d": {"test"}, "e": {"train"}}
    batches = divide_into_batches(videos, 100)
    assert sorted(batches.values()) == [["a", "e"], ["b", "d"], ["c"]]
    assert divide_into_batches(dict(reversed(videos.items())), 100) == batches


def test_a_shard_is_fixed_for_ever_and_names_the_split():
    # SHA-256 of "abc" begins with ba7816bf8f01cfea.
    assert shard_of("abc", "train", 10) == f"train-{0xBA7816BF8F01CFEA % 10:03d}"
    assert shard_of("abc", "test", 1) == "test-000"
    numbers = [int(shard_of(f"video{k}", "train", 8).split("-")[1]) for k in range(800)]
    assert min(numbers.count(k) for k in range(8)) > 70


def test_files_of_some_folders_come_in_the_order_that_is_asked_for(tmp_path):
    for name in ("x/a.b.parquet", "x/c.flac", "y/d.parquet", "y/.snakemake_timestamp"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    folders = [tmp_path / "x", tmp_path / "y"]
    assert files_of(folders, ["d", "a.b", "c", "d"]) == [
        tmp_path / name for name in ("y/d.parquet", "x/a.b.parquet", "x/c.flac", "y/d.parquet")
    ]
    with pytest.raises(InputError, match=r"e is in none of the folders .*x, .*y; delete"):
        files_of(folders, ["a.b", "e"])
