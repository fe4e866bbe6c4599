import numpy as np
import pytest
from matplotlib.colors import to_rgb

from frame_expressions.report.pictures import DARK, LIGHT, figure_picture
from frame_expressions.report.plots import _ink_on, draw_confusion, stretches


def _luminance(colour):
    channels = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in to_rgb(colour)]
    return 0.2126 * channels[0] + 0.7152 * channels[1] + 0.0722 * channels[2]


def _contrast(one, other):
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_stretches_are_where_something_holds():
    assert stretches(np.array([True, True, False, True])) == [(0, 2), (3, 4)]
    assert stretches(np.array([False, False])) == [] and stretches(np.zeros(0, bool)) == []


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_every_colour_of_a_figure_is_seen(theme):
    assert _contrast("#ffffff", "#767676") == pytest.approx(4.54, abs=0.01)  # a known pair
    for colour in (theme.ink, theme.muted, *theme.series):
        assert _contrast(colour, theme.paper) >= 4.5


def test_text_on_any_shade_is_readable():
    for grey in np.linspace(0, 1, 50):
        colour = (grey, grey / 2, 1 - grey)
        assert _contrast(_ink_on(colour), colour) >= 4.5


def test_a_figure_is_drawn_alike_each_time_and_differently_for_dark_screens():
    def draw(figure, theme):
        draw_confusion(figure, theme, np.eye(8, dtype=int))

    once, twice = (figure_picture(draw, 4.0, "alt", "caption") for _ in range(2))
    assert once == twice and once.light != once.dark
