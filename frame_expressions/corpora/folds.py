"""Folds: the tracks that train a fusion model, those that select its epoch and smoothing, and those that score it.

    official        the corpus's own split; selected and scored on the validation tracks, as published
    cv0, cv1, ...   nested cross-validation: scored on one part, selected on the next, trained on the others
    paper0, ...     the published protocol: selected and scored on one part, trained on all others
    imported        imported weights; selected and scored on the validation tracks
    imported0, ...  each of several imported gates, whose mean is scored as `imported`

The parts of cv<k> consist of whole groups (a video with all its persons) and have similar numbers of frames of every
class. Those of paper<k> have a table of their own, since `cross_validation.paper.folds` may be the published ones.
Shapes: K tracks, C classes. Imported whenever the Snakefile is parsed, so only the standard library and NumPy are
imported at the top.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from frame_expressions.artifacts.text import read_tsv
from frame_expressions.artifacts.vocabulary import EXPRESSIONS
from frame_expressions.runtime.errors import InputError

_PART = re.compile(r"(cv|paper)([0-9]+)")
PROTOCOLS = {"nested": "cv", "paper": "paper", "tuned": "paper"}
"""Protocols of cross-validation, the honest one first, each with the prefix of its folds' names.

`paper` and `tuned` share their models: `paper` smooths all folds by one fixed smoothing, as published; `tuned` by the
one that is best on the fold that it is scored on.
"""

GROUPED, PUBLISHED = "grouped", "published"
"""Divisions into the parts of paper<k> that need no table: `divide`, and `published_folds.divide_as_published`."""

PART_COLUMNS = ("track", "group", "part", *EXPRESSIONS)
"""Columns of the table of parts; the columns of the classes count labelled frames."""


@dataclass(frozen=True)
class Fold:
    """Names of the tracks of one fold."""

    train: list[str]
    selection: list[str]
    heldout: list[str]


def fold_names(protocol: str, num_folds: int) -> list[str]:
    """The folds of a protocol of cross-validation; for `official` and `imported`, the fold of that name."""
    if protocol not in PROTOCOLS:
        return [protocol]
    return [f"{PROTOCOLS[protocol]}{part}" for part in range(num_folds)]


def submitted_folds(config: dict) -> list[str]:
    """The folds whose models predict the submission; the logits of several are averaged."""
    settings = config["cross_validation"]
    if config["submission"]["models"] == "folds":
        return fold_names(settings["protocol"], settings["num_folds"])
    return list(imported_gates(config)) or ["official"]


def imported_gates(config: dict) -> dict[str, str]:
    """The folders of imported gates by fold: none, `imported`, or of several `imported0`, `imported1`, ..."""
    given = config["imported"]["gates"]
    folders = [given] if isinstance(given, str) else given or []
    if len(folders) == 1:
        return {"imported": folders[0]}
    return {f"imported{number}": folder for number, folder in enumerate(folders)}


def smoothing_names(protocol: str, num_folds: int) -> list[str]:
    """The folders of results/smoothing/ with the smoothing of a protocol's folds: one for each, or one for all."""
    return ["paper"] if protocol == "paper" else fold_names(protocol, num_folds)


def is_cross_validated(fold: str) -> bool:
    """Whether a fold consists of parts rather than of the corpus's own split."""
    return _PART.fullmatch(fold) is not None


def parts_tables(fold: str) -> list[str]:
    """The table of parts that a fold is made from; none if it is the corpus's own split."""
    match = _PART.fullmatch(fold)
    return [f"results/corpus/{'paper_' if match[1] == 'paper' else ''}folds.tsv"] if match else []


def given_folds(config: dict) -> list[str]:
    """The table of folds that the user gives for paper<k>, if there is one."""
    folds = config["cross_validation"]["paper"]["folds"]
    return [] if folds in (GROUPED, PUBLISHED) else [folds]


def make_fold(fold: str, split_of: dict[str, str], part_of: dict[str, int] | None = None) -> Fold:
    """A fold by its name, from each labelled track's split, or from its part if the fold is cross-validated.

    Raises InputError for a fold beyond the number of parts.
    """
    match = _PART.fullmatch(fold)
    if match is None:
        validation = [track for track, split in split_of.items() if split == "validation"]
        return Fold([track for track, split in split_of.items() if split == "train"], validation, validation)
    number, num_parts = int(match[2]), 1 + max(part_of.values())
    if number >= num_parts:
        raise InputError(
            f"The fold {fold} does not exist: cross_validation.num_folds is {num_parts}",
            f"choose a fold from 0 to {num_parts - 1}",
        )
    heldout, selection = number, number if match[1] == "paper" else (number + 1) % num_parts
    return Fold(
        [track for track, part in part_of.items() if part not in (heldout, selection)],
        [track for track, part in part_of.items() if part == selection],
        [track for track, part in part_of.items() if part == heldout],
    )


def read_parts(table: Path) -> dict[str, int]:
    """The part of each labelled track, from the table that assign_folds wrote; raises InputError if it is damaged."""
    return {row["track"]: int(row["part"]) for row in read_tsv(table, PART_COLUMNS)}


def divide(counts: np.ndarray, groups: Sequence[str], num_parts: int) -> np.ndarray:
    """Part [K] of each track, 0 to `num_parts` - 1, from its labelled frames per class [K, C] and its group.

    Tracks of one group share a part, and the parts have similar numbers of frames of every class, as far as whole
    groups allow. A group without any labelled frame goes to part 0. Raises InputError for too few groups.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    names, group = np.unique(np.asarray(groups), return_inverse=True)
    labelled = np.unique(group[counts.sum(axis=1) > 0])
    if len(labelled) < num_parts or num_parts < 3:
        raise InputError(
            f"{len(labelled)} labelled videos cannot be divided into {num_parts} parts",
            "set cross_validation.num_folds to at least 3 and at most the number of labelled videos",
        )
    frames = counts.ravel()
    labels = np.repeat(np.tile(np.arange(counts.shape[1]), len(counts)), frames)
    group_of_frame = np.repeat(np.repeat(group, counts.shape[1]), frames)
    part_of_group = np.zeros(len(names), dtype=np.int64)
    parts = StratifiedGroupKFold(num_parts).split(labels, labels, group_of_frame)
    for part, (_, held_out) in enumerate(parts):
        part_of_group[np.unique(group_of_frame[held_out])] = part
    # With only slightly more groups than parts, scikit-learn may leave a part empty.
    for part in set(range(num_parts)) - set(part_of_group[labelled]):
        fullest = np.bincount(part_of_group[labelled]).argmax()
        part_of_group[labelled[part_of_group[labelled] == fullest][-1]] = part
    return part_of_group[group]
