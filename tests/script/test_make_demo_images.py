import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from frame_expressions.corpora.image_sets import read_image_set
from workflow_scripts.make_demo_images import run

IMAGES = {
    "affectnet_train_per_class": 4,
    "affectnet_validation_per_class": 2,
    "rafdb_train_per_class": 3,
    "rafdb_test_per_class": 2,
    "border_share": 0.15,
}


def make(folder: Path, num_processes: int, **changes: float) -> None:
    run(
        affectnet_root=folder / "affectnet",
        rafdb_root=folder / "rafdb",
        seed=7,
        images=IMAGES | changes,
        num_processes=num_processes,
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    make(folder, 2)
    return folder


def test_the_real_adapters_read_both_sets(made):
    affectnet = read_image_set("affectnet_csv", made / "affectnet")
    rafdb = read_image_set("rafdb", made / "rafdb")
    for images, classes, counts in ((affectnet, 8, (4, 2)), (rafdb, 7, (3, 2))):
        for split, count in zip(("train", "validation"), counts, strict=True):
            found = np.bincount(images.labels[np.asarray(images.split) == split], minlength=8)
            assert found.tolist() == [count] * classes + [0] * (8 - classes)


def test_the_lists_have_the_real_sets_flaws(made):
    lists = made / "affectnet" / "Manually_Annotated_file_lists"
    with (lists / "training.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert sorted(row["expression"] for row in rows)[-2:] == ["9", "9"]
    assert [row["expression"] for row in rows].count("10") == 2
    assert sum(int(row["face_width"]) < 0 for row in rows) == 1
    assert not (lists / "validation.csv").read_text().startswith("subDirectory")


def test_images_are_coloured_squares(made):
    for folder, side in (("affectnet", 128), ("rafdb", 100)):
        images = sorted((made / folder).rglob("*.jpg"))
        assert images
        for path in images[:5]:
            rgb = np.asarray(Image.open(path))
            assert rgb.shape == (side, side, 3)
            assert np.ptp(rgb.reshape(-1, 3).astype(int), axis=1).max() > 20


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_as_many_images_of_the_first_set_have_a_black_border_as_configured(tmp_path, share):
    make(tmp_path, 1, border_share=share, affectnet_train_per_class=1)
    affectnet = read_image_set("affectnet_csv", tmp_path / "affectnet")
    for path in affectnet.paths:
        rgb = np.asarray(Image.open(path))
        edges = (rgb[:4], rgb[-4:], rgb[:, :4], rgb[:, -4:])
        assert any(edge.max() < 16 for edge in edges) == bool(share)  # a JPEG's black is not quite 0


def test_the_number_of_processes_changes_nothing(made, tmp_path):
    make(tmp_path, 1)
    paths = sorted(path.relative_to(made) for path in made.rglob("*") if path.is_file())
    assert paths == sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file())
    assert all((made / path).read_bytes() == (tmp_path / path).read_bytes() for path in paths)
