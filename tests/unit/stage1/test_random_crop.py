import math

import numpy as np
import pytest

from frame_expressions.stage1.random_crop import draw_window


class _Draws:
    """A generator with given shares of each range, in order."""

    def __init__(self, *shares):
        self.shares = list(shares)

    def uniform(self, low, high):
        return low + (high - low) * self.shares.pop(0)

    def integers(self, high):
        return int(high * self.shares.pop(0))


def _box(window):
    rows, columns = window
    return rows.start, columns.start, rows.stop - rows.start, columns.stop - columns.start


def test_a_window_by_hand():
    # 200 x 100: half of the area is 10,000; ratio 1 is the middle of the logarithms; 100 x 100 at the top's quarter.
    draws = _Draws(0.5, 0.5, 0.25, 0.0)
    assert _box(draw_window(200, 100, (0.0, 1.0), draws)) == (25, 0, 100, 100)
    # Ratio 4/3: width sqrt(2000 * 4/3) = 51.6, height sqrt(2000 * 3/4) = 38.7.
    draws = _Draws(0.1, 1.0, 0.5, 0.999)
    assert _box(draw_window(200, 100, (0.0, 1.0), draws)) == (81, 48, 39, 52)


def test_a_window_that_does_not_fit_is_drawn_again():
    # 90 % of 100 x 100 at ratio 4/3 is 110 px wide; at ratio 1 it is 95 x 95.
    draws = _Draws(0.5, 1.0, 0.5, 0.5, 0.0, 0.99)
    assert _box(draw_window(100, 100, (0.8, 1.0), draws)) == (0, 5, 95, 95)
    assert draws.shares == []


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [
        (100, 400, (0, 133, 100, 133)),  # at most 4/3 as wide as high
        (300, 90, (90, 0, 120, 90)),  # at least 3/4 as wide as high
        (100, 120, (0, 0, 100, 120)),  # of a ratio in the range: the whole image
        (1, 1, (0, 0, 1, 1)),
    ],
)
def test_after_ten_tries_it_is_the_middle(height, width, expected):
    too_large = _Draws(*[1.0, 1.0] * 5, *[1.0, 0.0] * 5)
    assert _box(draw_window(height, width, (1.0, 4.0), too_large)) == expected
    assert too_large.shares == []


def test_areas_ratios_and_places_of_many_windows():
    rng = np.random.default_rng(0)
    boxes = np.array([_box(draw_window(1000, 1000, (0.2, 0.4), rng)) for _ in range(4000)])
    top, left, rows, columns = boxes.T
    area, ratio = rows * columns / 1e6, np.log(columns / rows) / math.log(4 / 3)
    for values, low, high in ((area, 0.2, 0.4), (ratio, -1, 1), (top / (1000 - rows), 0, 1)):
        # Uniform: the quartiles are a quarter of the range apart.
        quartiles = np.quantile(values, [0, 0.25, 0.5, 0.75, 1])
        assert quartiles == pytest.approx(np.linspace(low, high, 5), abs=0.04 * (high - low))
    assert abs(np.corrcoef(top, left)[0, 1]) < 0.1
    assert (left + columns).max() <= 1000 and (top + rows).max() <= 1000
