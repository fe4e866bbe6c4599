"""The authors' division of the labelled tracks into parts: the most even of 5000 random ones.

It reproduces the folds that they published for the 317 tracks of Aff-Wild2. Tracks are drawn one by one, so two persons
of one video may be in different parts. Shapes: K tracks, C classes.
"""

from collections.abc import Sequence

import numpy as np

from frame_expressions.artifacts.vocabulary import SPLITS
from frame_expressions.runtime.errors import InputError

NUM_DRAWS, SEED = 5000, 3407


def divide_as_published(counts: np.ndarray, tracks: Sequence[str], splits: Sequence[str], num_parts: int) -> np.ndarray:
    """Part [K] of each track, 0 to `num_parts` - 1, from its labelled frames per class [K, C], its name and its split.

    Each draw permutes the tracks, training tracks first and each split by file name, and cuts them into parts of nearly
    equal size, the larger ones first. The first draw with the lowest cost is taken. Raises InputError for too few
    labelled tracks.
    Source: the authors' code, their random search over parts.
    """
    num_labelled = int((counts.sum(axis=1) > 0).sum())
    if num_labelled < num_parts:
        raise InputError(
            f"{num_labelled} labelled tracks cannot be divided into {num_parts} parts",
            "set cross_validation.num_folds to at most the number of labelled tracks",
        )
    # The annotations' file names decide: 102-30-640x360.txt comes before 102.txt.
    order = sorted(range(len(tracks)), key=lambda row: (SPLITS.index(splits[row]), f"{tracks[row]}.txt"))
    listed = counts[order].astype(np.int64)
    sizes = np.full(num_parts, len(tracks) // num_parts)
    sizes[: len(tracks) % num_parts] += 1
    rng = np.random.default_rng(SEED)
    draws = (rng.permutation(len(tracks)) for _ in range(NUM_DRAWS))
    best = min(draws, key=lambda drawn: _cost(listed[drawn], sizes))
    part = np.empty(len(tracks), np.int64)
    part[np.asarray(order)[best]] = np.repeat(np.arange(num_parts), sizes)
    return part


def _cost(counts: np.ndarray, sizes: np.ndarray) -> float:
    """How uneven the parts are that drawn tracks [K, C] are cut into: distances between the shares of classes."""
    starts = np.cumsum(sizes) - sizes
    of_part = np.add.reduceat(counts, starts)
    shares = of_part / np.maximum(of_part.sum(axis=1, keepdims=True), 1)
    distances = np.linalg.norm(shares - counts.sum(axis=0) / counts.sum(), axis=1)
    return 5 * sizes.std() + 3 * distances.max() + distances.mean()
