"""Stage I image sets: class numbers to the digit, and layouts told apart."""

import csv

import numpy as np
import pytest

from frame_expressions.artifacts.vocabulary import EXPRESSIONS
from frame_expressions.corpora import image_sets
from frame_expressions.corpora.image_sets import (
    AFFECTNET_TO_CHALLENGE,
    RAFDB_TO_CHALLENGE,
    HoldoutSettings,
    missing_images,
    read_image_set,
    read_image_sets,
)
from frame_expressions.runtime.errors import InputError

AFFECTNET_HEADER = (
    "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,expression,valence,arousal"
)
NAMES_OF_AFFECTNET = ["Neutral", "Happiness", "Sadness", "Surprise", "Fear", "Disgust", "Anger", "Other"]
NAMES_OF_RAFDB = ["Surprise", "Fear", "Disgust", "Happiness", "Sadness", "Anger", "Neutral"]


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def names_of(images):
    return [EXPRESSIONS[number] for number in images.labels]


def test_class_numbers_to_the_digit():
    assert [AFFECTNET_TO_CHALLENGE[number] for number in range(8)] == [0, 4, 5, 6, 3, 2, 1, 7]
    assert [RAFDB_TO_CHALLENGE[number] for number in range(1, 8)] == [6, 3, 2, 4, 5, 1, 0]
    assert [EXPRESSIONS[AFFECTNET_TO_CHALLENGE[number]] for number in range(8)] == NAMES_OF_AFFECTNET
    assert [EXPRESSIONS[RAFDB_TO_CHALLENGE[number]] for number in range(1, 8)] == NAMES_OF_RAFDB


def affectnet_csv(root, validation_header=True, ids=range(11)):
    lists = root / "Manually_Annotated_file_lists"
    lists.mkdir(parents=True)
    rows = [f"{10 + number}/a{number}.jpg,0,0,-1,224,1;2;3,{number},0.1,-2" for number in ids]
    (lists / "training.csv").write_text("\n".join([AFFECTNET_HEADER, *rows]) + "\n")
    rows = [row.replace("/a", "/v") for row in rows]
    (lists / "validation.csv").write_text("\n".join([AFFECTNET_HEADER] * validation_header + rows) + "\n")
    for number in ids:
        touch(root / "Manually_Annotated_Images", f"{10 + number}/a{number}.jpg", f"{10 + number}/v{number}.jpg")


@pytest.mark.parametrize("validation_header", [True, False])
def test_affectnet_csv(tmp_path, validation_header):
    affectnet_csv(tmp_path, validation_header)
    images = read_image_set("affectnet_csv", tmp_path)
    assert names_of(images) == NAMES_OF_AFFECTNET * 2
    assert images.labels.dtype == np.int8
    assert images.split.tolist() == ["train"] * 8 + ["validation"] * 8
    assert images.paths[0] == tmp_path / "Manually_Annotated_Images/10/a0.jpg"
    assert images.paths[8] == tmp_path / "Manually_Annotated_Images/10/v0.jpg"


def test_affectnet_csv_with_unknown_id(tmp_path):
    affectnet_csv(tmp_path, ids=[0, 11])
    with pytest.raises(InputError, match=r"training\.csv line 3 gives the expression '11'"):
        read_image_set("affectnet_csv", tmp_path)


def test_affectnet_npy_numbers_may_be_text(tmp_path):
    for folder in ("train_set", "val_set"):
        (tmp_path / folder / "annotations").mkdir(parents=True)
        for number in range(8):
            value = np.array(str(number) if number % 2 else number)
            np.save(tmp_path / folder / "annotations" / f"{number}_exp.npy", value)
            np.save(tmp_path / folder / "annotations" / f"{number}_val.npy", np.array(0.5))
            touch(tmp_path / folder / "images", f"{number}.jpg")
    images = read_image_set("affectnet_npy", tmp_path)
    assert names_of(images) == NAMES_OF_AFFECTNET * 2
    assert images.paths[9] == tmp_path / "val_set/images/1.jpg"
    assert images.split.tolist() == ["train"] * 8 + ["validation"] * 8
    (tmp_path / "val_set/annotations/1_exp.npy").write_bytes(b"")
    with pytest.raises(InputError, match=r"1_exp\.npy cannot be read"):
        read_image_set("affectnet_npy", tmp_path)


def rafdb(root, lines):
    (root / "EmoLabel").mkdir(parents=True)
    (root / "EmoLabel/list_patition_label.txt").write_text("".join(f"{line}\n" for line in lines))


@pytest.mark.parametrize("folder", ["", "basic"])
def test_rafdb_list(tmp_path, folder):
    names = [f"train_{k:05d}" for k in range(1, 8)] + ["test_0001"]
    root = tmp_path / folder
    rafdb(root, [f"{name}.jpg {k}" for name, k in zip(names, [*range(1, 8), 4], strict=True)])
    touch(root / "Image/aligned", *(f"{name}_aligned.jpg" for name in names))
    images = read_image_set("rafdb", tmp_path)
    assert names_of(images) == [*NAMES_OF_RAFDB, "Happiness"]
    assert images.split.tolist() == ["train"] * 7 + ["validation"]
    assert images.paths[-1] == root / "Image/aligned/test_0001_aligned.jpg"


@pytest.mark.parametrize("line", ["train_00001.jpg 0", "train_00001.jpg 8", "valid_00001.jpg 1", "train_00001.jpg"])
def test_rafdb_list_of_another_form_is_refused(tmp_path, line):
    rafdb(tmp_path, ["train_00001.jpg 1", line])
    with pytest.raises(InputError, match="line 2 reads"):
        read_image_set("rafdb", tmp_path)


def repack(root, numbers, count=1):
    for part in ("train", "test"):
        for number in numbers:
            touch(root, *(f"{part}/{number}/{part}_{number}_{k}.jpg" for k in range(count)))


@pytest.mark.parametrize("first", [0, 1])
def test_rafdb_repacks_of_both_numberings_mean_the_same(tmp_path, first):
    repack(tmp_path, range(first, first + 7))
    images = read_image_set("rafdb", tmp_path)
    assert names_of(images) == NAMES_OF_RAFDB * 2
    assert images.split.tolist() == ["train"] * 7 + ["validation"] * 7
    assert images.paths[0].parent.name == str(first)


@pytest.mark.parametrize("numbers", [range(1, 7), range(8), [0, 1, 7], range(1, 9)])
def test_rafdb_repacks_that_cannot_be_told_apart_are_refused(tmp_path, numbers):
    repack(tmp_path, numbers)
    with pytest.raises(InputError, match=r"may be numbered 1\.\.7 or 0\.\.6"):
        read_image_set("rafdb", tmp_path)


def test_rafdb_repack_with_named_folders_is_refused(tmp_path):
    repack(tmp_path, ["angry"])
    with pytest.raises(InputError, match="not a numbered class folder"):
        read_image_set("rafdb", tmp_path)


@pytest.mark.parametrize("first", [0, 1])
def test_whole_rafdb_repack_is_checked_against_the_published_counts(tmp_path, monkeypatch, first):
    published = {number: 10 * number for number in range(1, 8)}
    monkeypatch.setattr(image_sets, "RAFDB_COUNTS", {"train": published, "test": published})
    for part in ("train", "test"):
        for number, count in published.items():
            touch(tmp_path, *(f"{part}/{number - 1 + first}/{k}.jpg" for k in range(count)))
    assert len(read_image_set("rafdb", tmp_path).paths) == 2 * 280
    (tmp_path / "test" / str(first)).rename(tmp_path / "swap")
    (tmp_path / "test" / str(first + 3)).rename(tmp_path / "test" / str(first))
    (tmp_path / "swap").rename(tmp_path / "test" / str(first + 3))
    with pytest.raises(InputError, match=r"class 1 .* has 40 images where RAF-DB has 10"):
        read_image_set("rafdb", tmp_path)


def test_published_counts_sum_to_the_published_sizes():
    counts = image_sets.RAFDB_COUNTS
    assert [sum(counts[part].values()) for part in ("train", "test")] == [12271, 3068]


@pytest.mark.parametrize(("suffix", "tab"), [("csv", ","), ("tsv", "\t")])
def test_table_with_split(tmp_path, suffix, tab):
    touch(tmp_path, "a.jpg", "b/b.png")
    lines = [
        ["split", "image", "expression"],
        ["train", "a.jpg", "fear"],
        ["validation", f"{tmp_path}/b/b.png", "0"],
    ]
    (tmp_path / f"faces.{suffix}").write_text("".join(tab.join(line) + "\n" for line in lines))
    images = read_image_set("table", tmp_path / f"faces.{suffix}")
    assert images.paths == [tmp_path / "a.jpg", tmp_path / "b/b.png"]
    assert names_of(images) == ["Fear", "Neutral"]
    assert images.split.tolist() == ["train", "validation"]


def table_of(root, counts):
    lines = ["image,expression"]
    for name, count in counts.items():
        for k in range(count):
            touch(root, f"{name}{k}.jpg")
            lines.append(f"{name}{k}.jpg,{name}")
    (root / "faces.csv").write_text("\n".join(lines) + "\n")
    return root / "faces.csv"


def test_holdout_is_stratified_and_seeded(tmp_path):
    path = table_of(tmp_path, {"Anger": 40, "Fear": 20, "Other": 10})
    images = read_image_set("table", path, HoldoutSettings(0.2, 1))
    held_out = images.labels[images.split == "validation"]
    assert np.bincount(held_out, minlength=8).tolist() == [0, 8, 0, 4, 0, 0, 0, 2]
    assert (read_image_set("table", path, HoldoutSettings(0.2, 1)).split == images.split).all()
    assert (read_image_set("table", path, HoldoutSettings(0.2, 2)).split != images.split).any()


def test_holdout_that_cannot_be_drawn_is_refused(tmp_path):
    with pytest.raises(InputError, match="single image of Fear"):
        read_image_set("table", table_of(tmp_path, {"Anger": 4, "Fear": 1}))
    with pytest.raises(InputError, match="cannot be split with a holdout share of"):
        read_image_set("table", table_of(tmp_path, {"Anger": 4, "Fear": 4}), HoldoutSettings(0.1, 0))


def grouped_table(root, groups, split=None):
    """Write a table with (group, class) pairs, in that order, and give its path and the groups."""
    lines = ["image\texpression\tgroup" + "\tsplit" * bool(split)]
    for k, (group, name) in enumerate(groups):
        touch(root, f"{k}.jpg")
        lines.append(f"{k}.jpg\t{name}\t{group}" + (f"\t{split[k]}" if split else ""))
    (root / "faces.tsv").write_text("\n".join(lines) + "\n")
    return root / "faces.tsv", np.array([group for group, _ in groups])


def test_holdout_keeps_groups_together_and_balances_classes(tmp_path):
    rng = np.random.default_rng(0)
    groups = [
        (f"person{person}", ("Anger", "Fear", "Other")[int(rng.choice(3, p=[0.6, 0.3, 0.1]))])
        for person in range(60)
        for _ in range(rng.integers(1, 12))
    ]
    path, group = grouped_table(tmp_path, groups)
    images = read_image_set("table", path, HoldoutSettings(0.2, 1))
    held_out = images.split == "validation"
    assert not set(group[held_out]) & set(group[~held_out])
    shares = [held_out[images.labels == number].mean() for number in (1, 3, 7)]
    assert shares == pytest.approx([0.2] * 3, abs=0.05)
    assert (read_image_set("table", path, HoldoutSettings(0.2, 1)).split == images.split).all()
    assert (read_image_set("table", path, HoldoutSettings(0.2, 2)).split != images.split).any()


def test_a_class_of_a_single_group_cannot_be_held_out(tmp_path):
    path, _ = grouped_table(tmp_path, [("a", "Anger"), ("b", "Anger"), ("a", "Fear"), ("a", "Fear")])
    with pytest.raises(InputError, match=r"faces\.tsv has a single group of Fear"):
        read_image_set("table", path, HoldoutSettings(0.5, 0))


def test_a_given_split_may_not_divide_a_group(tmp_path):
    pairs = [("a", "Anger"), ("b", "Anger"), ("a", "Fear")]
    path, _ = grouped_table(tmp_path, pairs, split=["train", "validation", "train"])
    assert read_image_set("table", path).split.tolist() == ["train", "validation", "train"]
    path, _ = grouped_table(tmp_path, pairs, split=["train", "validation", "validation"])
    with pytest.raises(InputError, match="has the group a in both training and validation"):
        read_image_set("table", path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,label\n", "line 1 has the columns image, label"),
        ("image,expression,age\n", "line 1 has the columns"),
        ("image,expression,image\n", "line 1 has the columns"),
        ("image,expression\n", "holds no labelled images"),
        ("image,expression\na.jpg,Contempt\n", "line 2 has the expression 'Contempt'"),
        ("image,expression\na.jpg,-1\n", "line 2 has the expression '-1'"),
        ("image,expression\na.jpg\n", "line 2 has 1 fields"),
        ("image,expression,split\na.jpg,0,test\n", "line 2 has the split 'test'"),
        ("image,expression,group\na.jpg,0,p1\na.jpg,0,\n", "line 3 has no group"),
        ("image,expression\na\0/b.jpg,0\n", "line 2 holds a null character; fetch"),
    ],
)
def test_tables_that_do_not_fit_are_refused(tmp_path, text, message):
    touch(tmp_path, "a.jpg")
    (tmp_path / "faces.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        read_image_set("table", tmp_path / "faces.csv")


@pytest.mark.parametrize("how", ["absolute", "above", "link"])
@pytest.mark.parametrize("layout", ["table", "affectnet_csv"])
def test_a_list_names_images_outside_its_folder_only_if_allowed(tmp_path, layout, how):
    touch(tmp_path, "other/x.jpg")
    folder = tmp_path / "set"
    images = folder if layout == "table" else folder / "Manually_Annotated_Images"
    touch(images, "y.jpg")
    (images / "link.jpg").symlink_to(tmp_path / "other/x.jpg")
    above = "../" if layout == "table" else "../../"
    name = {"absolute": f"{tmp_path}/other/x.jpg", "above": f"{above}other/x.jpg", "link": "link.jpg"}[how]
    if layout == "table":
        root = folder / "faces.csv"
        root.write_text(f"image,expression,split\ny.jpg,0,train\n{name},1,validation\n")
    else:
        root = folder
        (folder / "Manually_Annotated_file_lists").mkdir()
        for part, image in (("training", "y.jpg"), ("validation", name)):
            (folder / f"Manually_Annotated_file_lists/{part}.csv").write_text(f"{image},0,0,0,0,,1,0,0\n")
    with pytest.raises(InputError, match=r"names the image '.*(x|link)\.jpg', which is outside .*allow_outside_root"):
        read_image_set(layout, root)
    assert len(read_image_set(layout, root, allow_outside_root=True).paths) == 2
    item = {"name": "mine", "layout": layout, "root": str(root), "allow_outside_root": True}
    assert len(read_image_sets([item], HoldoutSettings(0.5, 0))[0].paths) == 2


def test_a_releases_folder_of_images_may_be_a_link_to_another_disk(tmp_path):
    touch(tmp_path, "disk/1/y.jpg")
    (tmp_path / "set/Manually_Annotated_file_lists").mkdir(parents=True)
    (tmp_path / "set/Manually_Annotated_Images").symlink_to(tmp_path / "disk")
    for part in ("training", "validation"):
        (tmp_path / f"set/Manually_Annotated_file_lists/{part}.csv").write_text("1/y.jpg,0,0,0,0,,1,0,0\n")
    assert len(read_image_set("affectnet_csv", tmp_path / "set").paths) == 2


def test_missing_images_are_read_and_found(tmp_path):
    path = table_of(tmp_path, {"Anger": 40})
    before = read_image_set("table", path)
    assert missing_images(before) == []
    (tmp_path / "Anger1.jpg").unlink()
    (tmp_path / "Anger3.jpg").unlink()
    (tmp_path / "Anger3.jpg").mkdir()
    images = read_image_set("table", path)
    assert missing_images(images) == [tmp_path / "Anger1.jpg", tmp_path / "Anger3.jpg"]
    assert images.paths == before.paths and (images.split == before.split).all()  # the others stay on their side


@pytest.mark.parametrize("layout", ["affectnet_csv", "affectnet_npy", "rafdb", "table"])
def test_missing_folders_are_named(tmp_path, layout):
    with pytest.raises(InputError, match="nowhere"):
        read_image_set(layout, tmp_path / "nowhere")


def test_unknown_layout_lists_the_known_ones(tmp_path):
    with pytest.raises(InputError, match="affectnet_csv, affectnet_npy, rafdb, table"):
        read_image_set("ferplus", tmp_path)


def test_real_faces(shared):
    images = read_image_set("table", shared / "images/faces/labels.csv", HoldoutSettings(0.2, 0))
    with (shared / "images/faces/labels.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert names_of(images) == [row["expression"] for row in rows]
    assert [path.name for path in images.paths] == [row["image"] for row in rows]
    held_out = np.bincount(images.labels[images.split == "validation"], minlength=8)
    assert held_out.sum() == 245 and held_out.min() >= 1
