"""Batches: the videos that one job works on, since starting a job costs more than a short video.

A stage writes one folder per batch, with a file per video or track in it.
"""

import hashlib


def name_number(name: str) -> int:
    """A 64-bit number computed from a name, the same in every run."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")


def divide_into_batches(splits_of: dict[str, set[str]], videos_per_batch: int) -> dict[str, list[str]]:
    """Sort the videos of the same splits by name and cut them into batches, each named after its first video.

    splits_of: by video, the splits of its tracks. A batch starts at every video whose name has a hash that is a
    multiple of `videos_per_batch`, and holds at most twice that many videos. An added video therefore changes the batch
    that it falls into but not how the rest of the corpus is cut, and an added test video changes no batch that training
    reads.
    """
    batches: dict[str, list[str]] = {}
    before, batch = None, []
    for splits, video in sorted((sorted(splits), video) for video, splits in splits_of.items()):
        is_cut = len(batch) == 2 * videos_per_batch or name_number(video) % videos_per_batch == 0
        if splits != before or is_cut:
            batch = batches[video] = []
        batch.append(video)
        before = splits
    return batches


def shard_of(batch: str, split: str, num_shards: int) -> str:
    """The shard of a batch's tracks of one split, `<split>-<number:03d>`, by a hash that is the same in every run."""
    return f"{split}-{name_number(batch) % num_shards:03d}"
