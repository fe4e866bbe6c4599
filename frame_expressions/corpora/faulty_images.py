"""The table of Stage I's faulty images, and the image sets without them."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import NamedTuple

import numpy as np

from frame_expressions.artifacts.text import read_tsv, write_tsv
from frame_expressions.artifacts.vocabulary import EXPRESSIONS
from frame_expressions.corpora.image_sets import ImageSet
from frame_expressions.runtime.errors import InputError

FAULTS = ("missing", "undecodable", "truncated", "too_small", "one_colour", "two_expressions", "in_validation")
MISSING, UNDECODABLE, TRUNCATED, TOO_SMALL, ONE_COLOUR, TWO_EXPRESSIONS, IN_VALIDATION = FAULTS


class Place(NamedTuple):
    """How the table names an image. All four are needed, since the lists may name one file several times.

    path: relative to the set's root, or to the folder of a table; absolute for an image outside it.
    """

    image_set: str
    split: str
    path: str
    expression: str


@dataclass(frozen=True)
class FaultyImage:
    """A row of the table. The first four columns are its Place. fault: one of FAULTS. detail: the reason, in words."""

    image_set: str
    split: str
    path: str
    expression: str
    fault: str
    detail: str

    @property
    def place(self) -> Place:
        """The image that the row is about."""
        return Place(self.image_set, self.split, self.path, self.expression)


COLUMNS = tuple(field.name for field in fields(FaultyImage))


def write_faulty_images(faulty: Iterable[FaultyImage], tsv: Path) -> None:
    """Write the table; it has only a header if every image is fine."""
    write_tsv(COLUMNS, map(astuple, faulty), tsv)


def read_faulty_images(tsv: Path | None) -> list[FaultyImage]:
    """Read the table; None, if nothing was checked, has no rows."""
    return [FaultyImage(**row) for row in read_tsv(tsv, COLUMNS)] if tsv else []


def count_faults(faulty: Iterable[FaultyImage]) -> dict[str, int]:
    """Number of images by fault, in the order of FAULTS, without those that do not occur."""
    counts = Counter(row.fault for row in faulty)
    return {fault: counts[fault] for fault in FAULTS if counts[fault]}


def places_of(item: dict, images: ImageSet) -> Iterator[Place]:
    """The Place of each image of a set. item: the set as configured, with name, layout and root."""
    root = Path(item["root"])
    prefix = f"{root.parent if item['layout'] == 'table' else root}/"
    for path, label, split in zip(images.paths, images.labels, images.split, strict=True):
        yield Place(item["name"], str(split), _printable(str(path).removeprefix(prefix)), EXPRESSIONS[label])


def without_faulty_images(
    image_sets: Sequence[dict], found: Sequence[ImageSet], faulty: Iterable[FaultyImage]
) -> list[ImageSet]:
    """The images of each set that the table does not list, in their order.

    image_sets: as configured; found: their images. The split of the others does not change, because it was drawn
    before. Raises InputError if no image of a split is left.
    """
    listed = {row.place for row in faulty}
    kept = []
    for item, images in zip(image_sets, found, strict=True):
        is_kept = np.array([place not in listed for place in places_of(item, images)], dtype=bool)
        paths = [path for path, keep in zip(images.paths, is_kept, strict=True) if keep]
        kept.append(ImageSet(paths, images.labels[is_kept], images.split[is_kept]))
    for split in ("train", "validation"):
        if not any((images.split == split).any() for images in kept):
            raise InputError(
                f"every image of the split {split} is faulty", "restore the images, or correct stage1.image_sets"
            )
    return kept


def _printable(text: str) -> str:
    """A path that fits into one field of the table, whatever characters it has."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)
