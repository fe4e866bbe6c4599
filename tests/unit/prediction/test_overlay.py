import numpy as np
import pytest

from frame_expressions.artifacts.vocabulary import EXPRESSIONS
from frame_expressions.prediction.overlay import Overlay, Shown, _caption, draw_notice, resize_to

COLOURS = [(40 * number, 250 - 30 * number, 60) for number in range(8)]
FEAR = EXPRESSIONS.index("Fear")


def _shown(box, person=1, expression="Fear", probabilities=None, source="face_and_audio"):
    probabilities = np.eye(8)[FEAR] if probabilities is None else probabilities
    return Shown(person, box, "absent" if box is None else "detected", source, expression, probabilities)


def _has(image, colour):
    return (image == np.array(colour)).all(axis=-1)


@pytest.mark.parametrize("size_px", [(640, 360), (321, 241), (64, 48), (90, 400)])
def test_the_frame_keeps_its_place_and_both_sides_are_even(size_px):
    width_px, height_px = size_px
    rgb = np.full((height_px, width_px, 3), 128, np.uint8)
    drawn = Overlay(*size_px, COLOURS).draw(rgb, [_shown(None, source="audio")])
    assert drawn.shape[0] % 2 == drawn.shape[1] % 2 == 0
    assert np.array_equal(drawn[:height_px, :width_px], rgb)
    assert _has(drawn[height_px:], COLOURS[FEAR]).any()


def test_a_box_has_the_expressions_colour_and_lies_at_the_face():
    rgb = np.full((360, 640, 3), 128, np.uint8)
    drawn = Overlay(640, 360, COLOURS).draw(rgb, [_shown((200.0, 100.0, 300.0, 220.0))])
    ys, xs = np.nonzero(_has(drawn[100:360], COLOURS[FEAR]))  # the label lies above
    assert (xs.min(), xs.max(), ys.max() + 100) == (200, 300, 220)
    assert np.array_equal(drawn[130:190, 230:270], rgb[130:190, 230:270])


@pytest.mark.parametrize(
    "box", [(-50.0, -60.0, 900.0, 500.0), (600.0, 300.0, 700.0, 420.0), (-90.0, 10.0, -20.0, 60.0)]
)
def test_a_box_past_the_edge_is_drawn_as_far_as_it_is_seen(box):
    rgb = np.full((360, 640, 3), 128, np.uint8)
    drawn = Overlay(640, 360, COLOURS).draw(rgb, [_shown(box)])
    assert _has(drawn[:360], COLOURS[FEAR]).any()


def test_a_bar_is_as_long_as_its_probability():
    overlay = Overlay(800, 360, COLOURS)
    lengths = []
    for share in (0.25, 0.5):
        probabilities = np.full(8, 0.0)
        probabilities[FEAR] = share
        drawn = overlay.draw(np.zeros((360, 800, 3), np.uint8), [_shown(None, 1, "Neutral", probabilities)])
        lengths.append(_has(drawn[360:], COLOURS[FEAR]).sum(axis=1).max())
    assert lengths[1] == pytest.approx(2 * lengths[0], abs=2)


def test_several_persons_are_numbered_and_one_is_not():
    rgb = np.zeros((360, 640, 3), np.uint8)
    overlay = Overlay(640, 360, COLOURS)
    one = overlay.draw(rgb, [_shown((200.0, 100.0, 300.0, 220.0))])
    two = overlay.draw(rgb, [_shown((200.0, 100.0, 300.0, 220.0)), _shown((400.0, 100.0, 500.0, 220.0), person=2)])
    width_of = [np.nonzero(_has(drawn[:98, :390], COLOURS[FEAR]).any(axis=0))[0].max() for drawn in (one, two)]
    assert width_of[1] > width_of[0]


def test_the_label_of_an_absent_person_goes_out():
    """The panel is the first person's whose face is there; without one, no expression is highlighted."""
    overlay, rgb = Overlay(800, 360, COLOURS), np.zeros((360, 800, 3), np.uint8)
    colour_of = dict(zip(EXPRESSIONS, COLOURS, strict=True))
    away, there = _shown(None, 1, "Anger", np.zeros(8)), _shown((9.0, 9.0, 90.0, 90.0), 2, "Sadness", np.zeros(8))
    panels = {
        "both": overlay.draw(rgb, [away, there])[360:],
        "alone": overlay.draw(rgb, [away])[360:],
        "nothing": overlay.draw(rgb, [_shown(None, 1, None, np.full(8, np.nan), "nothing")])[360:],
    }
    lit = {who: {name for name in EXPRESSIONS if _has(panel, colour_of[name]).any()} for who, panel in panels.items()}
    assert lit == {"both": {"Sadness"}, "alone": set(), "nothing": set()}


@pytest.mark.parametrize(
    ("source", "seen", "away"),
    [
        ("face_and_audio", ["smoothed: Fear", "bars: this frame alone"], None),
        ("audio", None, ["no face, Fear from the audio", "bars: this frame alone"]),
        (
            "nearest_frame",
            ["smoothed: Fear", "bars: the nearest frame with face and audio"],
            ["no face, Fear from the nearest complete frame", "bars: the nearest frame with face and audio"],
        ),
        (
            "nearest_feature",
            ["smoothed: Fear", "bars: this frame, completed from the nearest"],
            ["no face, Fear from the audio and the nearest face", "bars: this frame, completed from the nearest"],
        ),
    ],
)
def test_the_caption_says_where_a_prediction_comes_from(source, seen, away):
    for box, expected in (((9.0, 9.0, 90.0, 90.0), seen), (None, away)):
        if expected:
            assert _caption(_shown(box, source=source)) == expected


def test_a_notice_breaks_lines_that_are_too_long():
    short = draw_notice("clip.mp4 was skipped")
    long = draw_notice("a" * 200 + " " + "a word " * 40)
    assert (short[60:] == short[0, 0]).all() and not (long[60:] == long[0, 0]).all()
    assert (long[:, -15:] == long[0, 0]).all()


@pytest.mark.parametrize(
    ("stored_px", "inside"),
    [
        ((270, 480), (164, 0, 316, 270)),  # a phone that was turned
        ((960, 540), (0, 0, 480, 270)),  # a stream of another quality
        ((240, 135), (0, 0, 480, 270)),
        ((480, 360), (60, 0, 420, 270)),  # 4:3
        ((480, 200), (0, 35, 480, 235)),
        ((2, 4000), (239, 0, 240, 270)),
    ],
)
def test_a_frame_of_another_size_keeps_its_shape_and_its_boxes(stored_px, inside):
    width_px, height_px = stored_px
    rgb = np.full((height_px, width_px, 3), 200, np.uint8)
    persons = [_shown((0.0, 0.0, width_px, height_px)), _shown(None, person=2)]
    resized, moved = resize_to((480, 270), rgb, persons)
    x1, y1, x2, y2 = inside
    assert resized.shape == (270, 480, 3) and resized.dtype == np.uint8
    assert (resized[y1:y2, x1:x2] == 200).all() and (resized == 200).all(axis=2).sum() == (x2 - x1) * (y2 - y1)
    assert moved[0].xyxy_px == pytest.approx(inside) and moved[1].xyxy_px is None


def test_a_frame_of_the_right_size_is_not_touched():
    rgb, persons = np.zeros((270, 480, 3), np.uint8), [_shown((1.0, 2.0, 3.0, 4.0))]
    resized, moved = resize_to((480, 270), rgb, persons)
    assert resized is rgb and moved is persons
