"""Labelled face images for Stage I, from the original releases or a table, with classes in challenge order.

Layouts: `affectnet_csv` and `affectnet_npy` (root: the release's folder), `rafdb` (root: the folder that holds
EmoLabel and Image, or a re-pack's train and test folders of numbered classes), `table` (root: a CSV or TSV file).

A list may only name images below its own folder (the table's, or the release's folder of images), after following
links, unless the image set has allow_outside_root.
"""

import csv
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, train_test_split

from frame_expressions.artifacts.npy import read_npy
from frame_expressions.artifacts.vocabulary import EXPRESSIONS, expression_number
from frame_expressions.corpora.allowed_folder import AllowedFolder
from frame_expressions.runtime.errors import InputError

# AffectNet: 0 Neutral, 1 Happy, 2 Sad, 3 Surprise, 4 Fear, 5 Disgust, 6 Anger, 7 Contempt (our Other).
AFFECTNET_TO_CHALLENGE = {0: 0, 1: 4, 2: 5, 3: 6, 4: 3, 5: 2, 6: 1, 7: 7}
AFFECTNET_DROPPED = (8, 9, 10)
"""None, Uncertain, Non-Face."""

# RAF-DB: 1 Surprise, 2 Fear, 3 Disgust, 4 Happiness, 5 Sadness, 6 Anger, 7 Neutral; it has no Other.
RAFDB_TO_CHALLENGE = {1: 6, 2: 3, 3: 2, 4: 4, 5: 5, 6: 1, 7: 0}
RAFDB_COUNTS = {
    "train": {1: 1290, 2: 281, 3: 717, 4: 4772, 5: 1982, 6: 705, 7: 2524},
    "test": {1: 329, 2: 74, 3: 160, 4: 1185, 5: 478, 6: 162, 7: 680},
}
"""Published images per class of RAF-DB basic."""

# Counts agree if they differ by at most this share, so a few lost images do not matter.
_TOLERANCE = 0.05
_RAFDB_SPLITS = {"train": "train", "test": "validation"}
_IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")

_TABLE_COLUMNS = ("image", "expression", "split", "group")


class _Row(NamedTuple):
    """An image with its class; split and group are empty if the layout does not give them.

    listed_in: the folder to which the list is confined; None if the image was found by its folder, not by a list.
    """

    path: Path
    label: int
    split: str
    group: str = ""
    listed_in: Path | None = None


@dataclass(frozen=True)
class HoldoutSettings:
    """The block `stage1.holdout`: share of the images without a split that validate, and the seed of the draw."""

    share: float
    seed: int


DEFAULT_HOLDOUT = HoldoutSettings(share=0.1, seed=0)


@dataclass(frozen=True)
class ImageSet:
    """Images with their classes: paths [N]; labels [N] int8, 0 to 7; split [N] text, train or validation."""

    paths: list[Path]
    labels: np.ndarray
    split: np.ndarray


def read_image_sets(image_sets: Iterable[dict], holdout: HoldoutSettings) -> list[ImageSet]:
    """Image sets as configured: layout, root and optionally allow_outside_root.

    Raises InputError as `read_image_set` does, and if all sets together have no image of a split.
    """
    image_sets = list(image_sets)
    found = [
        read_image_set(item["layout"], Path(item["root"]), holdout, item.get("allow_outside_root", False))
        for item in image_sets
    ]
    for split in ("train", "validation"):
        if not any((images.split == split).any() for images in found):
            raise InputError(
                f"{', '.join(item['root'] for item in image_sets)}: no image is in the split {split}",
                "correct the lists, or remove the column split of a table, to hold out a share of its images",
            )
    return found


def read_image_set(
    layout: str, root: Path, holdout: HoldoutSettings = DEFAULT_HOLDOUT, allow_outside_root: bool = False
) -> ImageSet:
    """Read one image set, in the order of its lists, or of the file names if it has no list.

    holdout: the share of each class that validates, for a table without a split column; images of one group, if the
    table has that column, stay on one side. Raises InputError for an unknown
    layout, lists that do not fit it or name images outside their folder, and a table that puts a group on both sides.
    The images need not exist: see `missing_images` and `stage1.image_check`.
    """
    root = Path(root)
    if layout not in _READERS:
        raise InputError(f"The image layout {layout!r} of {root} is unknown", f"choose one of {', '.join(_READERS)}")
    rows = list(_READERS[layout](root))
    if not rows:
        raise InputError(f"{root} holds no labelled images in the layout {layout}", "check the folder and the layout")
    if not allow_outside_root:
        _check_inside(root, rows)
    paths = [row.path for row in rows]
    labels = np.array([row.label for row in rows], dtype=np.int8)
    split = np.array([row.split for row in rows])
    group = np.array([row.group for row in rows])
    if not split[0]:
        split = _holdout(root, labels, group, holdout)
    elif group[0]:
        _check_groups(root, split, group)
    return ImageSet(paths, labels, split)


def missing_images(images: ImageSet) -> list[Path]:
    """The images of a set that are not files, in their order."""
    return [path for path in images.paths if not os.path.isfile(path)]  # noqa: PTH113 - it never raises


def _check_inside(root: Path, rows: list[_Row]) -> None:
    folders = {folder: AllowedFolder(folder) for folder in {row.listed_in for row in rows} if folder is not None}
    for row in rows:
        if row.listed_in is not None and not folders[row.listed_in].contains(row.path):
            raise InputError(
                f"{root} names the image {str(row.path)!r}, which is outside {row.listed_in}",
                "put it there, or, if you trust the list, give the image set allow_outside_root: true in "
                "stage1.image_sets",
            )


def _affectnet_csv(root: Path) -> Iterator[_Row]:
    for name, split in (("training", "train"), ("validation", "validation")):
        path = root / "Manually_Annotated_file_lists" / f"{name}.csv"
        for line, fields in _csv_rows(path):
            if line == 1 and fields[0] == "subDirectory_filePath":
                continue  # some copies of validation.csv have no header
            if len(fields) < 7:
                raise InputError(f"{path} line {line} has {len(fields)} fields instead of 9", "fetch the file again")
            number = _affectnet_class(fields[6], f"{path} line {line}")
            if number is not None:
                images = root / "Manually_Annotated_Images"
                yield _Row(images / fields[0], number, split, listed_in=images)


def _affectnet_npy(root: Path) -> Iterator[_Row]:
    for folder, split in (("train_set", "train"), ("val_set", "validation")):
        annotations = sorted((root / folder / "annotations").glob("*_exp.npy"))
        if not annotations:
            raise InputError(f"{root / folder} holds no annotations/<id>_exp.npy", "unpack AffectNet there")
        for annotation in annotations:
            value = read_npy(annotation)
            number = _affectnet_class(str(value.item()) if value.size == 1 else "several values", annotation)
            if number is not None:
                image = annotation.name.removesuffix("_exp.npy") + ".jpg"
                yield _Row(root / folder / "images" / image, number, split)


def _affectnet_class(text: str, where: str | Path) -> int | None:
    """Challenge class of an AffectNet id as text; None for the ids that are dropped."""
    number = int(text) if re.fullmatch(r"\s*[0-9]{1,2}\s*", text) else -1
    if number in AFFECTNET_DROPPED:
        return None
    if number not in AFFECTNET_TO_CHALLENGE:
        raise InputError(f"{where} gives the expression {text[:80]!r} instead of 0 to 10", "fetch the file again")
    return AFFECTNET_TO_CHALLENGE[number]


def _rafdb(root: Path) -> Iterator[_Row]:
    basic = next((folder for folder in (root, root / "basic") if (folder / "EmoLabel").is_dir()), None)
    if basic is None:
        yield from _rafdb_folders(root)
        return
    path = basic / "EmoLabel" / "list_patition_label.txt"
    for line, fields in _csv_rows(path, delimiter=" "):
        part = fields[0].split("_")[0]
        if len(fields) != 2 or part not in _RAFDB_SPLITS or fields[1] not in map(str, RAFDB_TO_CHALLENGE):
            raise InputError(
                f"{path} line {line} reads {' '.join(fields)[:80]!r} instead of a name that begins with train_ or "
                "test_ and a class from 1 to 7",
                "use RAF-DB's original file",
            )
        images = basic / "Image" / "aligned"
        image = images / f"{Path(fields[0]).stem}_aligned.jpg"
        yield _Row(image, RAFDB_TO_CHALLENGE[int(fields[1])], _RAFDB_SPLITS[part], listed_in=images)


def _rafdb_folders(root: Path) -> Iterator[_Row]:
    images = {part: _numbered_folders(root / part) for part in _RAFDB_SPLITS}
    # A re-pack numbers the classes 1..7, or 0..6 (one less). Only the numbers 0 and 7 show which.
    numbers = {number for part in images.values() for number, files in part.items() if files}
    if numbers <= set(range(1, 8)) and 7 in numbers:
        shift = 0
    elif numbers <= set(range(7)) and 0 in numbers:
        shift = 1
    else:
        raise InputError(
            f"The class folders {sorted(numbers)} below {root} may be numbered 1..7 or 0..6",
            "add the missing folders, or describe the images in a table (layout table)",
        )
    for part, by_number in images.items():
        shifted = {number + shift: files for number, files in by_number.items()}
        _check_rafdb_counts(root / part, shifted, RAFDB_COUNTS[part])
        for number, files in sorted(shifted.items()):
            for file in files:
                yield _Row(file, RAFDB_TO_CHALLENGE[number], _RAFDB_SPLITS[part])


def _numbered_folders(folder: Path) -> dict[int, list[Path]]:
    if not folder.is_dir():
        raise InputError(
            f"{folder.parent} has neither EmoLabel/list_patition_label.txt nor a re-pack's folder {folder.name}",
            "give the folder into which RAF-DB was unpacked",
        )
    found = {}
    for part in sorted(folder.iterdir()):
        if part.is_dir() and not part.name.startswith("."):
            if not part.name.isdecimal():
                raise InputError(
                    f"{part} is not a numbered class folder of RAF-DB (1..7 or 0..6)",
                    "describe the images in a table (layout table)",
                )
            files = sorted(file for file in part.iterdir() if file.suffix.lower() in _IMAGE_SUFFIXES)
            found[int(part.name)] = files
    return found


def _check_rafdb_counts(folder: Path, images: dict[int, list[Path]], published: dict[int, int]) -> None:
    """Refuse a complete RAF-DB whose classes are numbered in another order; a subset cannot be checked."""
    counts = {number: len(images.get(number, [])) for number in published}
    if not _agree(sum(counts.values()), sum(published.values())):
        return
    for number in published:
        if not _agree(counts[number], published[number]):
            raise InputError(
                f"The folder of RAF-DB's class {number} in {folder} has {counts[number]} images where RAF-DB has "
                f"{published[number]}, so its classes have another order",
                "describe the images in a table (layout table)",
            )


def _agree(count: int, published: int) -> bool:
    return abs(count - published) <= _TOLERANCE * published


def _table(path: Path) -> Iterator[_Row]:
    rows = _csv_rows(path, delimiter="\t" if path.suffix.lower() == ".tsv" else ",")
    _, header = next(rows, (1, []))
    columns = {name: header.index(name) for name in header}
    if not {"image", "expression"} <= set(columns) <= set(_TABLE_COLUMNS) or len(columns) < len(header):
        raise InputError(
            f"{path} line 1 has the columns {', '.join(header)}",
            "use the columns image, expression and optionally split and group",
        )
    for line, fields in rows:
        if len(fields) != len(header):
            raise InputError(
                f"{path} line {line} has {len(fields)} fields instead of {len(header)}", "correct the line"
            )
        number = expression_number(fields[columns["expression"]])
        if number is None:
            raise InputError(
                f"{path} line {line} has the expression {fields[columns['expression']][:80]!r}",
                f"choose one of {', '.join(EXPRESSIONS)} or 0 to 7",
            )
        split = fields[columns["split"]] if "split" in columns else ""
        if "split" in columns and split not in ("train", "validation"):
            raise InputError(f"{path} line {line} has the split {split!r}", "choose train or validation")
        group = fields[columns["group"]] if "group" in columns else ""
        if "group" in columns and not group:
            raise InputError(f"{path} line {line} has no group", "name one for every image, or remove the column")
        yield _Row(path.parent / fields[columns["image"]], number, split, group, listed_in=path.parent)


def _check_groups(path: Path, split: np.ndarray, group: np.ndarray) -> None:
    on_both = np.intersect1d(group[split == "train"], group[split == "validation"])
    if len(on_both):
        raise InputError(f"{path} has the group {on_both[0]} in both training and validation", "correct its split")


def _holdout(path: Path, labels: np.ndarray, group: np.ndarray, holdout: HoldoutSettings) -> np.ndarray:
    """Draw the split [N] of images without one: by class only if `group` [N] is empty, else also by whole groups."""
    unit, members = ("group", group) if group[0] else ("image", np.arange(len(labels)))
    for number in np.unique(labels):
        if len(np.unique(members[labels == number])) < 2:
            raise InputError(
                f"{path} has a single {unit} of {EXPRESSIONS[number]}, which cannot be in both training and validation",
                "add images or a column split",
            )
    try:
        if unit == "group":
            folds = StratifiedGroupKFold(round(1 / holdout.share), shuffle=True, random_state=holdout.seed)
            _, held_out = next(folds.split(labels, labels, group))
        else:
            _, held_out = train_test_split(members, test_size=holdout.share, stratify=labels, random_state=holdout.seed)
    except ValueError as error:
        raise InputError(
            f"{path} cannot be split with a holdout share of {holdout.share} ({error})", "add images or a column split"
        ) from error
    split = np.full(len(labels), "train", dtype="<U10")
    split[held_out] = "validation"
    return split


def _csv_rows(path: Path, delimiter: str = ",") -> Iterator[tuple[int, list[str]]]:
    """Line number and fields of every line that is not blank; raises InputError if the list cannot be read."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as handle:
            reader = csv.reader(handle, delimiter=delimiter, strict=True)
            for fields in reader:
                if any("\0" in field for field in fields):  # no file has such a name
                    raise InputError(f"{path} line {reader.line_num} holds a null character", "fetch the file again")
                if any(fields):
                    yield reader.line_num, fields
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"The list of images {path} cannot be read ({error})", "check the folder and the layout"
        ) from error


_READERS = {"affectnet_csv": _affectnet_csv, "affectnet_npy": _affectnet_npy, "rafdb": _rafdb, "table": _table}
