"""A look at one image: every fault is found, and no unusual but intact image counts as faulty."""

import faulthandler
import io
import itertools
import os
import signal
import time

import numpy as np
import pytest
from PIL import Image

from frame_expressions.encoders.preprocessing import decode
from frame_expressions.media.limits import Limits
from frame_expressions.runtime.errors import InputError
from frame_expressions.stage1 import image_check
from frame_expressions.stage1.image_check import Look, look_at, look_at_images


def drawn(width=64, height=48, seed=0):
    """A picture with structure at every scale, uint8 [H, W, 3]."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    waves = np.stack([np.sin(x / 5 + k) + np.cos(y / 7 - k) for k in range(3)], axis=2) * 50 + 128
    return Image.fromarray((waves + rng.integers(0, 20, waves.shape)).astype(np.uint8))


def encoded(image, image_format="JPEG", **options):
    stream = io.BytesIO()
    image.save(stream, image_format, **options)
    return stream.getvalue()


def at(tmp_path, content, name="face.jpg"):
    (tmp_path / name).write_bytes(content)
    return look_at(tmp_path / name)


def test_an_intact_image_has_no_fault_and_a_digest_of_its_bytes(tmp_path):
    one, same, other = (at(tmp_path, encoded(drawn(seed=seed)), f"{k}.jpg") for k, seed in enumerate((0, 0, 1)))
    assert one.fault == same.fault == other.fault == ""
    assert one.digest == same.digest != other.digest and len(one.digest) == 16
    assert not one.is_misnamed


@pytest.mark.parametrize("side", [20, 19])
def test_an_image_below_the_least_side_is_too_small(tmp_path, side):
    found = at(tmp_path, encoded(drawn(64, side)))
    assert (found.fault, found.detail) == (
        ("", "") if side == 20 else ("too_small", "has 64 x 19 pixels, fewer than 20 a side")
    )


def test_an_image_of_one_colour_shows_nothing(tmp_path):
    found = at(tmp_path, encoded(Image.new("RGB", (30, 40), (9, 99, 199))))
    assert (found.fault, found.detail) == ("one_colour", "is 30 x 40 pixels of one colour")
    image = Image.new("RGB", (30, 40))
    image.putpixel((29, 39), (0, 0, 1))
    assert at(tmp_path, encoded(image, "PNG"), "face.png").fault == ""


def test_files_that_are_no_images(tmp_path):
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "broken.jpg").symlink_to("nowhere.jpg")
    (tmp_path / "circle.jpg").symlink_to("circle.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    looks = {name: look_at(tmp_path / f"{name}.jpg") for name in ("gone", "broken", "circle", "folder", "pipe")}
    assert looks.pop("circle").fault == "undecodable"
    assert {name: (look.fault, look.detail) for name, look in looks.items()} == {
        "gone": ("missing", "does not exist"),
        "broken": ("missing", "does not exist"),
        "folder": ("undecodable", "is a folder"),
        "pipe": ("undecodable", "is neither a file nor a folder"),
    }
    assert look_at(tmp_path / ("n" * 300 + ".jpg"))[:2] == ("undecodable", "cannot be read (File name too long)")
    empty, text = at(tmp_path, b""), at(tmp_path, b"<html>404</html>")
    assert (empty.fault, empty.detail) == ("undecodable", "is empty")
    assert (text.fault, text.detail) == ("undecodable", "cannot be decoded as JPEG, PNG, BMP, WEBP, TIFF, GIF")
    assert at(tmp_path, encoded(drawn(), "EPS")).fault == "undecodable"


def test_a_bomb_of_pixels_is_a_fault(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 700)
    found = at(tmp_path, encoded(drawn(64, 48)))
    assert found.fault == "undecodable" and "3072 pixels" in found.detail and "\n" not in found.detail


def test_an_error_of_the_machine_is_not_the_images_fault(tmp_path, monkeypatch):
    def fail(content):
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(image_check, "decode", fail)
    with pytest.raises(OSError, match="Too many open files"):
        at(tmp_path, encoded(drawn()))


SUBSAMPLINGS = ("4:4:4", "4:2:2", "4:2:0")


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_every_intact_jpeg_passes_and_every_one_cut_short_is_found(tmp_path, mode):
    found = []
    for size, quality, subsampling, progressive, restart in itertools.product(
        [(112, 112), (101, 67)], [10, 75, 100], SUBSAMPLINGS if mode == "RGB" else [None], [False, True], [0, 7]
    ):
        options = {"quality": quality, "progressive": progressive}
        options |= {"subsampling": subsampling} if subsampling else {}
        options |= {"restart_marker_blocks": restart} if restart else {}
        whole = encoded(drawn(*size).convert(mode), **options)
        assert at(tmp_path, whole).fault == "", options
        start = whole.index(b"\xff\xda") + 20
        for share in (0.2, 0.5):
            cut = whole[: int(start + share * (len(whole) - start))]
            assert at(tmp_path, cut).fault == "undecodable", options
            ended = cut + b"\xff\xd9"  # as from a tool that closes what it received
            if not progressive:  # whose scans may end between two of them, which only leaves out detail
                found.append((at(tmp_path, ended).fault, _decodes(ended)))
    assert found.count(("truncated", True)) > len(found) / 2  # training would not notice these
    assert set(found) <= {("truncated", True), ("undecodable", False)}


def _decodes(content):
    try:
        return decode(content) is not None
    except OSError:
        return False


@pytest.mark.parametrize("image_format", ["PNG", "BMP", "WEBP", "TIFF", "GIF"])
def test_another_format_that_ends_early_is_undecodable(tmp_path, image_format):
    whole = encoded(drawn(), image_format)
    assert at(tmp_path, whole, "face").fault == ""
    for share in (0.3, 0.6, 0.9):
        assert at(tmp_path, whole[: int(share * len(whole))], "face").fault == "undecodable"


@pytest.mark.parametrize("tail", [bytes(100), b"\r\n", b"<xmp>"])
def test_bytes_after_the_end_of_a_jpeg_do_no_harm(tmp_path, tail):
    assert at(tmp_path, encoded(drawn()) + tail).fault == ""


def test_unusual_images_that_training_decodes_pass(tmp_path):
    picture = drawn(64, 48)
    turned = Image.Exif()
    turned[0x0112] = 6
    grey16 = Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257)
    files = {
        "turned.jpg": encoded(picture, exif=turned),
        "cmyk.jpg": encoded(picture.convert("CMYK")),
        "grey.jpg": encoded(picture.convert("L")),
        "grey16.png": encoded(grey16, "PNG"),
        "grey16.tif": encoded(grey16, "TIFF"),
        "palette.png": encoded(picture.convert("P", palette=Image.Palette.ADAPTIVE), "PNG"),
        "bits.png": encoded(picture.convert("1"), "PNG"),
        "alpha.png": encoded(picture.convert("RGBA"), "PNG"),
        "greyalpha.png": encoded(picture.convert("LA"), "PNG"),
        "animated.gif": encoded(picture, "GIF", save_all=True, append_images=[drawn(seed=1)]),
        "animated.webp": encoded(picture, "WEBP", save_all=True, append_images=[drawn(seed=1)]),
        "animated.png": encoded(picture, "PNG", save_all=True, append_images=[drawn(seed=1)]),
        "pages.tif": encoded(picture, "TIFF", save_all=True, append_images=[drawn(seed=1)]),
        "phone.jpg": encoded(picture, "MPO", save_all=True, append_images=[drawn(seed=1)]),
    }
    for name, content in files.items():
        assert at(tmp_path, content, name)[:2] == ("", ""), name
        assert not at(tmp_path, content, name).is_misnamed, name


def test_a_suffix_of_another_format_is_only_noted(tmp_path):
    found = at(tmp_path, encoded(drawn(), "PNG"), "face.jpg")
    assert (found.fault, found.is_misnamed) == ("", True)
    assert not at(tmp_path, encoded(drawn(), "PNG"), "face").is_misnamed


@pytest.mark.parametrize("num_processes", [1, 2, 5])
def test_looks_come_in_the_order_of_the_images(tmp_path, num_processes):
    paths = []
    for number in range(7):
        paths.append(tmp_path / f"{number}.png")
        if number != 4:
            paths[-1].write_bytes(encoded(drawn(seed=number), "PNG"))
    looks = list(look_at_images(paths, num_processes))
    assert looks == [look_at(path) for path in paths]
    assert [look.fault for look in looks] == ["", "", "", "", "missing", "", ""]


def test_an_image_that_ends_its_process_costs_that_image_only(tmp_path, monkeypatch):
    """Decoders that crash, hang and take all memory: the rule neither hangs nor stops."""
    monkeypatch.setattr(image_check, "LIMITS", Limits(4, 0, 0, 0, memory_mb=300))

    def misbehave(path):
        if path.name == "crash":
            faulthandler.disable()
            os.kill(os.getpid(), signal.SIGSEGV)
        if path.name == "hang":
            time.sleep(1000)
        if path.name == "grow":
            np.ones(10**9, np.uint8)
        return Look(digest=path.name.encode())

    monkeypatch.setattr(image_check, "look_at", misbehave)
    names = ["a", "crash", "b", "hang", "crash", "c", "grow", "d", "e"]
    start = time.monotonic()
    looks = list(look_at_images([tmp_path / name for name in names], 2))
    assert time.monotonic() - start < 100
    limit = "takes more than 4 s or 300 MB to decode"
    expected = {"crash": "crashed its decoder (SIGSEGV)", "hang": limit, "grow": limit}
    for name, look in zip(names, looks, strict=True):
        assert look == (Look("undecodable", expected[name]) if name in expected else Look(digest=name.encode()))


def test_an_error_in_a_child_process_reaches_the_caller(tmp_path, monkeypatch):
    def fail(path):
        raise InputError("the disk is gone", "plug it in")

    monkeypatch.setattr(image_check, "look_at", fail)
    with pytest.raises(InputError, match="the disk is gone"):
        list(look_at_images([tmp_path / "a"], 1))


def test_real_faces_are_fine(shared):
    paths = sorted((shared / "images/faces").glob("*.jpg"))
    assert len(paths) > 1000
    assert [(path.name, look) for path, look in zip(paths, look_at_images(paths, 2), strict=True) if look.fault] == []
