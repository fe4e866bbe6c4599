"""Square crops, compared with pixels counted by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frame_expressions.faces.crops import square_crop


def ramp(height=40, width=60):
    """Red grows along x, green along y; blue is 200, so padding (0) differs everywhere."""
    rgb = np.full((height, width, 3), 200, np.uint8)
    rgb[..., 0] = np.arange(width)[None] + 1
    rgb[..., 1] = np.arange(height)[:, None] + 1
    return rgb


def test_a_crop_inside_the_frame_is_its_pixels():
    rgb = ramp()
    crop, padded_share = square_crop(rgb, np.array([20, 10, 30, 20]), 1.0, 10)
    assert (crop == rgb[10:20, 20:30]).all() and padded_share == 0


def test_the_side_follows_the_longer_side_and_the_scale():
    rgb = ramp()
    crop, padded_share = square_crop(rgb, np.array([20, 10, 28, 20]), 1.2, 12)  # side 12 about (24, 15)
    assert (crop == rgb[9:21, 18:30]).all() and padded_share == 0


def test_outside_the_frame_is_black():
    rgb = ramp()
    crop, padded_share = square_crop(rgb, np.array([-5, -2, 5, 8]), 1.0, 10)
    assert (crop[2:, 5:] == rgb[:8, :5]).all()
    assert (crop[:2] == 0).all() and (crop[:, :5] == 0).all()
    assert padded_share == pytest.approx(1 - 5 * 8 / 100)
    crop, padded_share = square_crop(rgb, np.array([55, 35, 65, 45]), 1.0, 10)
    assert (crop[:5, :5] == rgb[35:, 55:]).all() and (crop[5:] == 0).all() and (crop[:, 5:] == 0).all()
    assert padded_share == 0.75


@pytest.mark.parametrize("box", [[-50, 0, -40, 10], [70, 0, 80, 10], [0, 90, 10, 99], [-30, -30, -20, -20]])
def test_a_box_wholly_outside_is_black(box):
    crop, padded_share = square_crop(ramp(), np.array(box), 1.0, 8)
    assert crop.shape == (8, 8, 3) and not crop.any() and padded_share == 1


def test_a_box_without_area_gives_its_pixel():
    crop, padded_share = square_crop(ramp(), np.array([20, 10, 20, 10]), 1.5, 4)
    assert crop.shape == (4, 4, 3) and padded_share == 0


coordinate = st.floats(-200, 200)


@settings(deadline=None)
@given(coordinate, coordinate, st.floats(0, 150), st.floats(0, 150), st.sampled_from([0.9, 1.2, 1.5]))
def test_any_box_gives_a_crop_and_a_share(x, y, width, height, scale):
    crop, padded_share = square_crop(ramp(), np.array([x, y, x + width, y + height]), scale, 6)
    assert crop.shape == (6, 6, 3) and crop.dtype == np.uint8
    assert 0 <= padded_share <= 1
    assert (padded_share == 1) <= (not crop.any())
