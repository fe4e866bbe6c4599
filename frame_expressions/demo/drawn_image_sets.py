"""Two sets of drawn face images for Stage I, in the layouts of AffectNet (csv release) and RAF-DB (basic).

Images are drawn in batches. Each batch shows one made-up person and has its own random generator, so the images do not
depend on which process draws which batch.
"""

import csv
import hashlib
import io
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from frame_expressions.artifacts.text import write_text
from frame_expressions.artifacts.vocabulary import NUM_CLASSES
from frame_expressions.demo.face_images import draw_face, draw_without_face
from frame_expressions.demo.portrait import make_person

AFFECTNET_LISTS = {"train": "training.csv", "validation": "validation.csv"}
AFFECTNET_COLUMNS = (
    "subDirectory_filePath", "face_x", "face_y", "face_width", "face_height", "facial_landmarks", "expression",
    "valence", "arousal",
)  # fmt: skip
AFFECTNET_IDS = (0, 6, 5, 4, 1, 2, 3, 7)
"""AffectNet's ids of the expressions, in challenge order; Contempt is used for Other."""

AFFECTNET_UNUSABLE = (8, 9, 10, 8, 9, 10)
"""Ids of rows that a reader must drop: 8 has no expression, 9 is uncertain, 10 has no face."""

RAFDB_IDS = (7, 6, 3, 2, 4, 5, 1)
"""RAF-DB's ids of the expressions, in challenge order; RAF-DB has no Other."""

RAFDB_LIST = "EmoLabel/list_patition_label.txt"
RAFDB_SPLITS = {"train": "train", "validation": "test"}
IMAGES_PER_PERSON = 60
AFFECTNET_PX = 128
RAFDB_PX = 100
AFFECTNET_FRAMING = (0.85, 1.6)
RAFDB_FRAMING = (0.95, 1.3)
_VALENCE_AROUSAL = (
    (0.0, 0.0), (-0.5, 0.7), (-0.65, 0.35), (-0.2, 0.8), (0.75, 0.3), (-0.7, -0.3), (0.2, 0.8), (-0.5, 0.3),
)  # fmt: skip


@dataclass(frozen=True)
class Batch:
    """Images of one person: ids are AffectNet's or RAF-DB's; numbers count the images of a split from 1."""

    split: str
    place: int
    ids: tuple[int, ...]
    numbers: tuple[int, ...]


def plan_batches(
    per_class: dict[str, int], ids: tuple[int, ...], seed: int, unusable: tuple[int, ...] = ()
) -> list[Batch]:
    """Divide the images among persons; no person is in two splits.

    per_class: number of images per class, by split; ids: the set's classes; unusable: further ids, appended to the
    train split as they are.
    """
    batches = []
    for split, count in per_class.items():
        rng = np.random.default_rng([seed, zlib.crc32(split.encode())])
        shuffled = rng.permutation(np.repeat(ids, count)).tolist() + list(unusable if split == "train" else ())
        for start in range(0, len(shuffled), IMAGES_PER_PERSON):
            part = shuffled[start : start + IMAGES_PER_PERSON]
            numbers = tuple(range(start + 1, start + 1 + len(part)))
            batches.append(Batch(split, len(batches), tuple(part), numbers))
    return batches


def write_affectnet_batch(batch: Batch, root: Path, seed: int, border_share: float) -> list[tuple]:
    """Draw the images of a batch under `Manually_Annotated_Images`; returns the batch's rows of the list.

    border_share: share of the images with a black border.
    """
    rng = np.random.default_rng([seed, 1, batch.place])
    person = make_person(rng)
    folder = root / "Manually_Annotated_Images" / str(batch.place + 1)
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for number, label in zip(batch.numbers, batch.ids, strict=True):
        name = hashlib.md5(f"{seed} {batch.split} {number}".encode(), usedforsecurity=False).hexdigest() + ".jpg"
        path = f"{batch.place + 1}/{name}"
        if label == 10:
            _save(draw_without_face(AFFECTNET_PX, rng), folder / name, rng)
            rows.append((path, 0, 0, AFFECTNET_PX, AFFECTNET_PX, "", label, -2, -2))
            continue
        expression = AFFECTNET_IDS.index(label) if label < NUM_CLASSES else None
        drawn = draw_face(person, expression, AFFECTNET_PX, AFFECTNET_FRAMING, border_share, rng)
        _save(drawn.rgb, folder / name, rng)
        x1, y1, x2, y2 = (round(value) for value in drawn.pose.xyxy_px())
        landmarks = ";".join(f"{value:.2f}" for value in drawn.landmarks_px.ravel())
        valence, arousal = (-2, -2) if expression is None else _VALENCE_AROUSAL[expression]
        # Some rows of AffectNet have a negative width; the first row of this set has one too.
        width = x1 - x2 if (batch.split, number) == ("train", 1) else x2 - x1
        rows.append((path, x1, y1, width, y2 - y1, landmarks, label, valence, arousal))
    return rows


def write_affectnet_lists(rows: dict[str, list[tuple]], root: Path) -> None:
    """Write the two lists; the validation list has no header, as in some copies of the real set."""
    for split, name in AFFECTNET_LISTS.items():
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        if split == "train":
            writer.writerow(AFFECTNET_COLUMNS)
        writer.writerows(rows[split])
        write_text(text.getvalue(), root / "Manually_Annotated_file_lists" / name)


def write_rafdb_batch(batch: Batch, root: Path, seed: int) -> list[str]:
    """Draw the images of a batch under `Image/aligned`; returns the batch's lines of the list."""
    rng = np.random.default_rng([seed, 2, batch.place])
    person = make_person(rng)
    folder = root / "Image" / "aligned"
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for number, label in zip(batch.numbers, batch.ids, strict=True):
        name = f"{RAFDB_SPLITS[batch.split]}_{number:05d}"
        drawn = draw_face(person, RAFDB_IDS.index(label), RAFDB_PX, RAFDB_FRAMING, 0.0, rng)
        _save(drawn.rgb, folder / f"{name}_aligned.jpg", rng)
        lines.append(f"{name}.jpg {label}")
    return lines


def write_rafdb_list(lines: list[str], root: Path) -> None:
    """Write the list of all images, train first."""
    write_text("\n".join(lines) + "\n", root / RAFDB_LIST)


def _save(rgb: np.ndarray, path: Path, rng: np.random.Generator) -> None:
    # Not written atomically: the lists, which name the images, are written last and atomically.
    Image.fromarray(rgb).save(path, quality=int(rng.integers(80, 96)))
