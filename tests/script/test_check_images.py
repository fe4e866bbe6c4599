"""All faulty images of Stage I, found together before it trains."""

import logging

import numpy as np
import pytest
from PIL import Image

from frame_expressions.corpora.faulty_images import read_faulty_images
from frame_expressions.corpora.image_sets import HoldoutSettings
from frame_expressions.runtime.errors import InputError
from workflow_scripts.check_images import run

HOLDOUT = HoldoutSettings(share=0.25, seed=1)


class Sets:
    """Two image sets, as tables with a split, that a test fills."""

    def __init__(self, folder):
        self.folder = folder
        self.rows = {"one": [], "two": []}

    def add(self, name, image, expression, split="train", pixels=None, side=24):
        """List an image, and write it: noise from the seed `pixels`, or the given bytes; None: do not write it."""
        self.rows[name].append(f"{image},{expression},{split}")
        path = self.folder / name / image
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(pixels, bytes):
            path.write_bytes(pixels)
        elif pixels is not None:
            noise = np.random.default_rng(pixels).integers(0, 256, (side, side, 3)).astype(np.uint8)
            Image.fromarray(noise).save(path, "PNG")
        return path

    def check(self, on_bad_image="stop", num_processes=2):
        """Run the check; returns the written table's rows."""
        image_sets = []
        for name, rows in self.rows.items():
            table = self.folder / name / "faces.csv"
            table.parent.mkdir(exist_ok=True)
            table.write_text("\n".join(["image,expression,split", *rows]) + "\n")
            image_sets.append({"name": name, "layout": "table", "root": str(table)})
        run(
            image_sets=image_sets,
            holdout=HOLDOUT,
            on_bad_image=on_bad_image,
            table=self.folder / "images.tsv",
            refused=self.folder / "faulty_images.tsv",
            num_processes=num_processes,
        )
        return read_faulty_images(self.folder / "images.tsv")

    def refused(self):
        return read_faulty_images(self.folder / "faulty_images.tsv")


@pytest.fixture
def sets(tmp_path):
    """Four intact images."""
    sets = Sets(tmp_path)
    for number, split in enumerate(("train", "validation") * 2):
        sets.add(("one", "two")[number // 2], f"intact{number}.png", "Anger", split, pixels=number)
    return sets


def test_intact_sets_leave_an_empty_table(sets, caplog):
    sets.add("one", "copy.png", "Anger", pixels=0)  # the same expression and split: only a repetition
    (sets.folder / "faulty_images.tsv").write_text("of an earlier run")
    with caplog.at_level(logging.INFO):
        assert sets.check() == []
    assert "2 images have a copy with the same expression in the same split" in caplog.text
    assert (sets.folder / "images.tsv").read_text() == "image_set\tsplit\tpath\texpression\tfault\tdetail\n"
    assert not (sets.folder / "faulty_images.tsv").exists()


def add_every_fault(sets):
    sets.add("one", "gone.png", "Fear")
    sets.add("one", "page.png", "Fear", pixels=b"<html>")
    sets.add("one", "sub/small.png", "Fear", pixels=10, side=19)
    sets.add("one", "black.png", "Fear", "validation", pixels=None)
    Image.new("RGB", (24, 24)).save(sets.folder / "one/black.png")
    sets.add("one", "angry.png", "Anger", pixels=11)
    sets.add("two", "happy.png", "Happiness", "validation", pixels=11)
    sets.add("two", "leak.png", "Sadness", pixels=12)
    sets.add("two", "kept.png", "Sadness", "validation", pixels=12)
    return [
        ("one", "train", "gone.png", "Fear", "missing", "does not exist"),
        ("one", "train", "page.png", "Fear", "undecodable", "cannot be decoded as JPEG, PNG, BMP, WEBP, TIFF, GIF"),
        (
            "one",
            "train",
            "sub/small.png",
            "Fear",
            "too_small",
            "has 19 x 19 pixels, fewer than 20 a side",
        ),
        ("one", "validation", "black.png", "Fear", "one_colour", "is 24 x 24 pixels of one colour"),
        (
            "one",
            "train",
            "angry.png",
            "Anger",
            "two_expressions",
            "has the same bytes as happy.png of two, listed as Happiness",
        ),
        (
            "two",
            "validation",
            "happy.png",
            "Happiness",
            "two_expressions",
            "has the same bytes as angry.png of one, listed as Anger",
        ),
        (
            "two",
            "train",
            "leak.png",
            "Sadness",
            "in_validation",
            "has the same bytes as the validation image kept.png of two",
        ),
    ]


COUNTS = "1 missing, 1 undecodable, 1 too_small, 1 one_colour, 2 two_expressions, 1 in_validation"


def as_tuples(rows):
    return [(*row.place, row.fault, row.detail) for row in rows]


def test_one_error_lists_every_fault(sets):
    expected = add_every_fault(sets)
    with pytest.raises(InputError) as caught:
        sets.check()
    assert str(caught.value) == (
        f"7 of Stage I's 12 images are faulty ({COUNTS}), such as gone.png of one (does not exist), "
        "page.png of one (cannot be decoded as JPEG, PNG, BMP, WEBP, TIFF, GIF), sub/small.png of one (has 19 x 19 "
        f"pixels, fewer than 20 a side), and {sets.folder}/faulty_images.tsv lists all of them; restore them or "
        "remove them from their image sets, or set execution.on_bad_image to skip."
    )
    assert as_tuples(sets.refused()) == expected
    assert not (sets.folder / "images.tsv").exists()


def test_skip_lists_them_and_says_how_many(sets, capsys):
    expected = add_every_fault(sets)
    (sets.folder / "faulty_images.tsv").write_text("of an earlier run")
    assert as_tuples(sets.check("skip")) == expected
    assert f"Warning: 7 of Stage I's 12 images are faulty ({COUNTS}); Stage I leaves" in capsys.readouterr().out
    assert not (sets.folder / "faulty_images.tsv").exists()


def test_the_number_of_processes_does_not_change_the_table(sets):
    add_every_fault(sets)
    assert sets.check("skip", 1) == sets.check("skip", 3)


def test_skip_still_refuses_a_split_of_faulty_images_only(sets):
    for path in sets.folder.glob("*/intact[13].png"):
        path.unlink()
    with pytest.raises(InputError, match="every image of the split validation is faulty"):
        sets.check("skip")


def test_the_error_begins_with_an_example_of_each_fault(sets):
    for number in range(5):
        sets.add("one", f"gone{number}.png", "Fear")
    sets.add("two", "page.png", "Fear", pixels=b"<html>")
    with pytest.raises(
        InputError, match=r"such as gone0\.png of one \(.*\), page\.png of two \(.*\), gone1\.png of one "
    ):
        sets.check()


def test_one_file_that_is_listed_twice(sets):
    """In both splits, and under two expressions; each row of the lists is judged by itself."""
    sets.add("one", "both.png", "Fear", "train", pixels=20)
    sets.add("one", "both.png", "Fear", "validation", pixels=20)
    sets.add("two", "two.png", "Fear", "train", pixels=21)
    sets.add("two", "two.png", "Other", "train", pixels=21)
    assert [(*row.place, row.fault) for row in sets.check("skip")] == [
        ("one", "train", "both.png", "Fear", "in_validation"),
        ("two", "train", "two.png", "Fear", "two_expressions"),
        ("two", "train", "two.png", "Other", "two_expressions"),
    ]


def test_images_that_show_nothing_do_not_contradict_each_other(sets):
    for name, expression in (("a.png", "Fear"), ("b.png", "Anger")):
        Image.new("RGB", (24, 24)).save(sets.add("one", name, expression))
    assert [row.fault for row in sets.check("skip")] == ["one_colour", "one_colour"]


def test_a_link_that_leads_out_of_its_set_is_refused_unread(sets, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "secret"
    outside.write_text("not to be read")
    sets.add("one", "link.png", "Fear").symlink_to(outside)
    with pytest.raises(InputError, match=r"link\.png', which is outside .*allow_outside_root: true"):
        sets.check("skip")
