import io

import numpy as np
import pytest
import torch
from PIL import Image

from frame_expressions.encoders.preprocessing import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    UNREADABLE,
    centre_crop,
    decode,
    to_input,
)


def _encoded(image, kind, **settings):
    stream = io.BytesIO()
    image.save(stream, kind, **settings)
    return stream.getvalue()


UPRIGHT = np.zeros((16, 32), np.uint8)

UPRIGHT[:8, :16] = 255

# By EXIF's number for where the first row and the first column of what is stored belong.
STORED = {
    1: UPRIGHT,  # top, left
    2: UPRIGHT[:, ::-1],  # top, right
    3: UPRIGHT[::-1, ::-1],  # bottom, right
    4: UPRIGHT[::-1],  # bottom, left
    5: UPRIGHT.T,  # left, top
    6: UPRIGHT.T[::-1],  # right, top
    7: UPRIGHT.T[::-1, ::-1],  # right, bottom
    8: UPRIGHT.T[:, ::-1],  # left, bottom
}


def test_input_is_the_normalised_middle():
    images = torch.zeros(1, 4, 4, 3, dtype=torch.uint8)
    images[0, 1:3, 1:3] = torch.tensor([255, 0, 51], dtype=torch.uint8)
    expected = [(value - m) / s for value, m, s in zip([1, 0, 0.2], IMAGENET_MEAN, IMAGENET_STD, strict=True)]
    found = to_input(images, 2)
    assert found.shape == (1, 3, 2, 2)
    for channel in range(3):
        assert found[0, channel].unique().tolist() == pytest.approx([expected[channel]], rel=1e-5)
    assert centre_crop(torch.arange(5).view(1, 1, 1, 5).expand(1, 1, 5, 5), 3)[0, 0, 0].tolist() == [1, 2, 3]


@pytest.mark.parametrize("orientation", STORED)
def test_a_photo_is_turned_as_its_camera_says(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    photo = Image.fromarray(np.ascontiguousarray(STORED[orientation])).convert("RGB")
    assert np.array_equal(decode(_encoded(photo, "PNG", exif=exif)), np.repeat(UPRIGHT[..., None], 3, axis=2))


@pytest.mark.filterwarnings("ignore:.*:UserWarning:PIL")
def test_damaged_exif_data_are_passed_over_or_make_a_photo_unreadable():
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "a maker of cameras"
    whole, rng = exif.tobytes(), np.random.default_rng(0)
    outcomes = set()
    for _ in range(1500):
        damaged = bytearray(whole)
        for place in rng.integers(6, len(whole), 3):
            damaged[place] = rng.integers(256)
        photo = _encoded(Image.new("RGB", (16, 8)), "JPEG", exif=bytes(damaged))
        try:
            outcomes.add(decode(photo).shape)
        except UNREADABLE:
            outcomes.add("unreadable")
    assert outcomes == {(8, 16, 3), (16, 8, 3), "unreadable"}


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_grey_of_16_bits_keeps_its_shades(kind):
    shades = np.arange(256, dtype=np.uint16).reshape(16, 16)
    found = decode(_encoded(Image.fromarray(shades * 257), kind))
    assert found.dtype == np.uint8 and np.array_equal(found, np.repeat(shades[..., None], 3, axis=2))
