"""The resizing of faces, compared with Pillow."""

import numpy as np
import pytest
import skimage.data
from PIL import Image

from frame_expressions.faces.resizing import resize


def test_resizing_averages_and_keeps_an_image_of_that_size():
    rgb = np.zeros((48, 48, 3), np.uint8)
    assert resize(rgb, 48) is rgb
    small = resize(np.tile(np.array([0, 200], np.uint8)[None, :, None], (64, 32, 3)), 8)
    assert small.shape == (8, 8, 3)
    # Antialiased: no stripes of 0 or 200; past its edge, an image continues with its outermost pixels.
    assert np.abs(small[:, 1:-1].astype(int) - 100).max() <= 5 and np.abs(small.astype(int) - 100).max() <= 15


@pytest.mark.parametrize("side", [60, 150, 255, 300, 500])
def test_resizing_gives_pillows_pixels_within_rounding(side):
    portrait = skimage.data.astronaut()[:side, 100 : 100 + side]
    expected = np.asarray(Image.fromarray(portrait).resize((256, 256), Image.Resampling.BICUBIC)).astype(int)
    difference = np.abs(resize(portrait, 256) - expected)
    edge = -(-256 // side) + 1  # where Pillow averages fewer pixels, and `resize` repeats the outermost one
    assert difference[edge:-edge, edge:-edge].max() <= 6 and difference.mean() <= 0.15


def test_an_image_that_is_not_square_gives_pillows_pixels_within_rounding():
    window = skimage.data.astronaut()[30:270, 100:420]
    expected = np.asarray(Image.fromarray(window).resize((224, 224), Image.Resampling.BICUBIC)).astype(int)
    difference = np.abs(resize(window, 224) - expected)
    assert difference[2:-2, 2:-2].max() <= 6 and difference.mean() <= 0.15
