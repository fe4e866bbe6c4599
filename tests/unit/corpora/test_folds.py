"""Folds by name, and the division into parts."""

import numpy as np
import pandas as pd
import pytest

from frame_expressions.artifacts.text import write_tsv
from frame_expressions.corpora.folds import (
    PART_COLUMNS,
    Fold,
    divide,
    fold_names,
    given_folds,
    make_fold,
    parts_tables,
    read_parts,
    smoothing_names,
    submitted_folds,
)
from frame_expressions.runtime.errors import InputError

SPLITS = {"a": "train", "b": "validation", "c": "train", "d": "validation"}
PARTS = {"a": 0, "b": 1, "c": 2, "d": 1}


def test_the_official_fold_is_the_corpus_split():
    assert make_fold("official", SPLITS) == Fold(["a", "c"], ["b", "d"], ["b", "d"])
    assert make_fold("imported", SPLITS) == make_fold("official", SPLITS)


def test_a_nested_fold_is_chosen_on_one_part_and_reported_on_another():
    assert make_fold("cv0", SPLITS, PARTS) == Fold(["c"], ["b", "d"], ["a"])
    assert make_fold("cv2", SPLITS, PARTS) == Fold(["b", "d"], ["a"], ["c"])


def test_the_published_protocol_chooses_on_what_it_reports():
    assert make_fold("paper1", SPLITS, PARTS) == Fold(["a", "c"], ["b", "d"], ["b", "d"])


def test_tuned_has_the_models_of_paper_but_a_smoothing_for_each_fold():
    assert fold_names("tuned", 3) == fold_names("paper", 3) == ["paper0", "paper1", "paper2"]
    assert smoothing_names("tuned", 3) == ["paper0", "paper1", "paper2"]
    assert smoothing_names("paper", 3) == ["paper"]
    assert smoothing_names("nested", 2) == ["cv0", "cv1"] and smoothing_names("official", 3) == ["official"]


def test_nested_and_paper_have_tables_of_their_own():
    assert parts_tables("cv3") == ["results/corpus/folds.tsv"]
    assert parts_tables("paper3") == ["results/corpus/paper_folds.tsv"]
    assert parts_tables("official") == parts_tables("imported") == []


def test_only_a_table_of_folds_is_a_given_file():
    for folds, files in (("grouped", []), ("published", []), ("mine.csv", ["mine.csv"])):
        assert given_folds({"cross_validation": {"paper": {"folds": folds}}}) == files


def test_every_track_is_held_out_once_in_a_cross_validation():
    for protocol in ("nested", "paper", "tuned"):
        folds = [make_fold(name, SPLITS, PARTS) for name in fold_names(protocol, 3)]
        assert sorted(track for fold in folds for track in fold.heldout) == sorted(SPLITS)
        for fold in folds:
            assert not {*fold.train} & {*fold.heldout, *fold.selection}


def test_a_fold_beyond_the_parts_is_refused():
    with pytest.raises(InputError, match=r"fold cv3 does not exist: cross_validation\.num_folds is 3"):
        make_fold("cv3", SPLITS, PARTS)


def test_which_folds_predict_the_submission():
    config = {
        "cross_validation": {"protocol": "paper", "num_folds": 3},
        "submission": {"models": "single"},
        "imported": {"fusion": {"weights": None}},
    }
    assert submitted_folds(config) == ["official"]
    assert submitted_folds(config | {"imported": {"fusion": {"weights": "gate.pth"}}}) == ["imported"]
    assert submitted_folds(config | {"submission": {"models": "folds"}}) == ["paper0", "paper1", "paper2"]


def test_parts_keep_groups_together_and_balance_every_class():
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 200, (60, 8))
    groups = [f"video{number // 2}" for number in range(60)]  # pairs
    part = divide(counts, groups, 5)
    assert (part[::2] == part[1::2]).all()
    shares = np.stack([counts[part == number].sum(axis=0) for number in range(5)]) / counts.sum(axis=0)
    assert np.abs(shares - 0.2).mean() < 0.03


def test_groups_without_a_label_have_a_part_too():
    counts = np.eye(8, dtype=int).repeat(2, axis=0) * 10
    counts[3] = 0
    part = divide(counts, [str(number) for number in range(16)], 3)
    assert part.shape == (16,) and part[3] == 0 and set(part) == {0, 1, 2}


def test_no_part_is_empty_with_hardly_more_videos_than_parts():
    counts = np.zeros((6, 8), int)
    counts[[0, 0, 1, 2, 3, 3, 4, 4, 4], [0, 4, 6, 1, 0, 5, 1, 3, 7]] = [200, 300, 300, 200, 500, 500, 300, 700, 100]
    part = divide(counts, list("abcdef"), 5)  # nothing of f is labelled
    assert sorted(part[:5]) == [0, 1, 2, 3, 4]


def test_too_few_videos_are_refused():
    with pytest.raises(InputError, match="2 labelled videos cannot be divided into 3 parts"):
        divide(np.ones((4, 8), int), ["a", "a", "b", "b"], 3)


def test_on_the_real_tracks_a_part_is_as_even_as_the_largest_video_allows(shared):
    tracks = pd.read_csv(shared / "affwild2_expr_tracks.csv").query("split != 'test'")
    names = ["neutral", "anger", "disgust", "fear", "happiness", "sadness", "surprise", "other"]
    counts = tracks[names].fillna(0).to_numpy(dtype=int)
    part = divide(counts, tracks["video"].tolist(), 5)
    assert tracks.assign(part=part).groupby("video")["part"].nunique().max() == 1
    largest = tracks.assign(**dict(zip(names, counts.T, strict=True))).groupby("video")[names].sum().max()
    shares = np.stack([counts[part == number].sum(axis=0) for number in range(5)]) / counts.sum(axis=0)
    bound = np.maximum(largest.to_numpy() / counts.sum(axis=0), 0.2)
    assert (shares.max(axis=0) <= bound + 0.02).all(), shares.round(3)


def test_parts_are_read_back(tmp_path):
    table = tmp_path / "folds.tsv"
    write_tsv(PART_COLUMNS, [["v_left", "v", 3, 10, *[0] * 7]], table)
    assert read_parts(table) == {"v_left": 3}
