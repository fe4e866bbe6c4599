"""The numbers in the images are read as drawn or not at all."""

import io

import numpy as np
import pytest
from PIL import Image

from tests.alignment.numbered_frames import LARGEST_NUMBER, Unreadable, draw, face_box, read_frame, read_square

SIZE = (160, 128)


def square_of(number):
    left, top, right, bottom = face_box(number, SIZE)
    return draw(number, SIZE)[top:bottom, left:right]


def test_every_number_is_read_back():
    for number in range(LARGEST_NUMBER + 1):
        assert read_frame(draw(number, SIZE), number) == number


@pytest.mark.parametrize("side", [40, 64, 97, 300])
def test_numbers_survive_scaling_and_strong_compression(side):
    for number in (1, 2, 3, 127, 128, 254):
        stream = io.BytesIO()
        Image.fromarray(square_of(number)).resize((side, side)).save(stream, "JPEG", quality=60)
        assert read_square(np.asarray(Image.open(stream)), scale=1.0) == number


def test_a_wider_square_is_read_at_its_scale():
    wide = np.pad(square_of(77), ((24, 24), (24, 24), (0, 0)))
    assert read_square(wide, scale=1.5) == 77
    with pytest.raises(Unreadable):
        read_square(wide, scale=1.0)


@pytest.mark.parametrize("number", [0, 1, 90, 165, 255])
@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_a_rotated_or_mirrored_frame_is_rejected(number, mirrored, turns):
    square = square_of(number)
    view = np.rot90(square[:, ::-1] if mirrored else square, turns)
    if not mirrored and turns == 0:
        assert read_square(view, scale=1.0) == number
    else:
        with pytest.raises(Unreadable, match="marks"):
            read_square(view, scale=1.0)


def test_what_does_not_show_a_number_clearly_is_refused():
    one, other = draw(6, SIZE), draw(7, SIZE)
    with pytest.raises(Unreadable, match="red and blue"):
        read_frame(one[..., ::-1], 6)
    with pytest.raises(Unreadable, match="neither bright nor dark"):
        read_frame((one.astype(int) + other).astype(np.uint8) // 2, 6)  # two frames blended
    with pytest.raises(Unreadable):
        read_frame(np.full_like(one, 128), 6)
    with pytest.raises(Unreadable):
        read_frame(np.roll(one, 14, axis=1), 6)  # by one cell
    inverted = 255 - one
    with pytest.raises(Unreadable):
        read_frame(inverted, 6)


def test_a_number_that_contradicts_its_complement_is_refused():
    square = square_of(0).copy()
    cell = round(0.84 * 96) / 6
    inset = (96 - round(0.84 * 96)) // 2
    y, x = (round(inset + cell * at) for at in (1, 1))  # the first bit
    square[y : y + round(cell), x : x + round(cell)] = (255, 225, 60)
    with pytest.raises(Unreadable, match="complement"):
        read_square(square, scale=1.0)


def test_the_face_stays_in_the_frame_and_moves():
    boxes = [face_box(number, (161, 129)) for number in range(60)]
    assert all(0 <= x1 and 0 <= y1 and x2 <= 161 and y2 <= 129 and x2 - x1 == y2 - y1 for x1, y1, x2, y2 in boxes)
    assert len(set(boxes)) > 10
