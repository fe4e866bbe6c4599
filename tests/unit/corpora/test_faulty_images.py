"""The table of faulty images, and what is left of the image sets without them."""

from pathlib import Path

import numpy as np
import pytest

from frame_expressions.corpora.faulty_images import (
    FaultyImage,
    Place,
    count_faults,
    places_of,
    read_faulty_images,
    without_faulty_images,
    write_faulty_images,
)
from frame_expressions.corpora.image_sets import ImageSet
from frame_expressions.runtime.errors import InputError

TABLE = {"name": "mine", "layout": "table", "root": "/data/mine/faces.csv"}
RAFDB = {"name": "raf", "layout": "rafdb", "root": "/data/raf"}


def images_of(*rows):
    paths, labels, split = zip(*rows, strict=True)
    return ImageSet([Path(path) for path in paths], np.array(labels, dtype=np.int8), np.array(split))


def test_an_image_is_named_relative_to_its_set():
    images = images_of(("/data/mine/a/1.jpg", 1, "train"), ("/elsewhere/2.jpg", 7, "validation"))
    assert list(places_of(TABLE, images)) == [
        ("mine", "train", "a/1.jpg", "Anger"),
        ("mine", "validation", "/elsewhere/2.jpg", "Other"),
    ]
    images = images_of(("/data/raf/Image/aligned/x.jpg", 0, "train"))
    assert list(places_of(RAFDB, images)) == [("raf", "train", "Image/aligned/x.jpg", "Neutral")]


@pytest.mark.parametrize(
    "name", ["tab\there.jpg", "line\nend.jpg", "cr\rend.jpg", "latin\udce9.jpg", 'quo"te.jpg', "é.jpg"]
)
def test_the_table_keeps_every_name(tmp_path, name):
    images = images_of((f"/data/mine/{name}", 3, "train"), ("/data/mine/a.jpg", 3, "validation"))
    place, _ = places_of(TABLE, images)
    row = FaultyImage(*place, "missing", "does not exist")
    write_faulty_images([row], tmp_path / "images.tsv")
    assert read_faulty_images(tmp_path / "images.tsv") == [row]
    assert (tmp_path / "images.tsv").read_bytes().count(b"\n") == 2
    both = images_of(
        (f"/data/mine/{name}", 3, "train"), ("/data/mine/b.jpg", 3, "train"), ("/data/mine/a.jpg", 3, "validation")
    )
    (kept,) = without_faulty_images([TABLE], [both], read_faulty_images(tmp_path / "images.tsv"))
    assert [path.name for path in kept.paths] == ["b.jpg", "a.jpg"]


def test_only_the_listed_image_of_the_listed_set_is_left_out():
    rows = [("1.jpg", 1, "train"), ("1.jpg", 2, "train"), ("1.jpg", 1, "validation"), ("2.jpg", 1, "train")]
    found = [images_of(*((f"/data/raf/{path}", *rest) for path, *rest in rows)) for _ in range(2)]
    sets = [RAFDB, RAFDB | {"name": "copy"}]
    faulty = [FaultyImage("copy", "train", "1.jpg", "Anger", "in_validation", "")]
    first, second = without_faulty_images(sets, found, faulty)
    assert len(first.paths) == 4
    assert second.labels.tolist() == [2, 1, 1] and second.split.tolist() == ["train", "validation", "train"]
    assert [path.name for path in second.paths] == ["1.jpg", "1.jpg", "2.jpg"]


def test_a_split_without_an_image_left_is_refused():
    found = [images_of(("/data/raf/1.jpg", 1, "train"), ("/data/raf/2.jpg", 1, "validation"))]
    faulty = [FaultyImage(*Place("raf", "validation", "2.jpg", "Anger"), "missing", "")]
    with pytest.raises(InputError, match="every image of the split validation is faulty; restore"):
        without_faulty_images([RAFDB], found, faulty)


def test_faults_are_counted_in_one_order(tmp_path):
    rows = [FaultyImage("a", "train", "x", "Anger", fault, "") for fault in ("truncated", "missing", "truncated")]
    assert list(count_faults(rows).items()) == [("missing", 1), ("truncated", 2)]
    assert read_faulty_images(None) == [] and count_faults([]) == {}
    write_faulty_images([], tmp_path / "t.tsv")
    assert (tmp_path / "t.tsv").read_text() == "image_set\tsplit\tpath\texpression\tfault\tdetail\n"
