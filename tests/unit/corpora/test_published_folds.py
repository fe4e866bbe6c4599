"""The authors' division into parts, against the published rule written plainly and against their own table."""

import csv

import numpy as np
import pytest

from frame_expressions.corpora.published_folds import divide_as_published
from frame_expressions.runtime.errors import InputError


def _plain(counts, tracks, splits, num_parts):
    """The rule in plain loops: the part of each track by name, and the number and score of the winning draw."""
    listed = sorted(
        range(len(tracks)), key=lambda row: (["train", "validation"].index(splits[row]), tracks[row] + ".txt")
    )
    sizes = [len(tracks) // num_parts + (part < len(tracks) % num_parts) for part in range(num_parts)]
    total = [sum(counts[row][c] for row in listed) for c in range(8)]
    rng = np.random.default_rng(3407)
    best = None
    for draw in range(5000):
        drawn = [listed[place] for place in rng.permutation(len(listed)).tolist()]
        parts, distances = {}, []
        for part, size in enumerate(sizes):
            rows, drawn = drawn[:size], drawn[size:]
            parts |= {tracks[row]: part for row in rows}
            of_part = [sum(counts[row][c] for row in rows) for c in range(8)]
            shares = [of_part[c] / max(sum(of_part), 1) - total[c] / sum(total) for c in range(8)]
            distances.append(sum(share**2 for share in shares) ** 0.5)
        mean_size = sum(sizes) / num_parts
        std = (sum((size - mean_size) ** 2 for size in sizes) / num_parts) ** 0.5
        score = 5 * std + 3 * max(distances) + sum(distances) / num_parts
        if best is None or score < best[0] - 1e-12:
            best = (score, draw, parts)
    return best[2]


def test_the_parts_are_those_of_the_plain_rule():
    rng = np.random.default_rng(1)
    tracks = ["102", "102-30-640x360", "9", "video2", "10-60", "b", "video2_left", "a"]
    splits = ["train", "train", "validation", "validation", "train", "validation", "train", "train"]
    counts = rng.integers(0, 50, (8, 8))
    counts[5] = 0  # nothing of it is labelled
    part = divide_as_published(counts, tracks, splits, 3)
    assert dict(zip(tracks, part.tolist(), strict=True)) == _plain(counts.tolist(), tracks, splits, 3)
    assert np.bincount(part).tolist() == [3, 3, 2]


def test_the_order_of_the_corpus_does_not_matter():
    rng = np.random.default_rng(2)
    tracks, splits = [f"t{number}" for number in range(9)], ["train"] * 6 + ["validation"] * 3
    counts, order = rng.integers(0, 50, (9, 8)), rng.permutation(9)
    part = divide_as_published(counts, tracks, splits, 3)
    shuffled = divide_as_published(counts[order], [tracks[k] for k in order], [splits[k] for k in order], 3)
    assert (shuffled == part[order]).all()


def test_too_few_tracks_are_refused():
    counts = np.zeros((4, 8), int)
    counts[:2, 0] = 1
    with pytest.raises(InputError, match="2 labelled tracks cannot be divided into 3 parts"):
        divide_as_published(counts, list("abcd"), ["train"] * 4, 3)


def test_the_published_parts_are_reproduced(shared):
    file = shared / "authors/expr_cv5_folds.csv"
    if not file.exists():
        pytest.skip("the authors' table of folds is not on this machine")
    rows = list(csv.DictReader(file.read_text(encoding="utf-8-sig").splitlines()))
    counts = np.array([[int(row[f"class_{number}"]) for number in range(8)] for row in rows])
    splits = [{"Train_Set": "train", "Validation_Set": "validation"}[row["source_dir"]] for row in rows]
    part = divide_as_published(counts, [row["txtid"] for row in rows], splits, 5)
    assert len(rows) == 317
    assert part.tolist() == [int(row["fold"]) - 1 for row in rows]
    labelled = [int(counts[part == number].sum()) for number in range(5)]
    assert labelled == [264466, 155645, 141908, 167430, 146997]
