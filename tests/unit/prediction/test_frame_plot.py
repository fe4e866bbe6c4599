"""The plot of a video's predictions: what is drawn where."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from frame_expressions.artifacts.vocabulary import EXPRESSIONS
from frame_expressions.prediction.frame_plot import plot_frames
from frame_expressions.prediction.frame_table import PersonPrediction, predictions_table
from frame_expressions.report.palette import COLOURS
from frame_expressions.smoothing.smoothing import NO_SMOOTHING

FPS = 10
ABSENT = [4, 5, 7]  # without audio either


@pytest.fixture
def frames():
    """Ten frames of one person, of the classes 0, 1, 2, ..., without a prediction in some."""
    there = ~np.isin(np.arange(10), ABSENT)
    xyxy_px = np.where(there[:, None], np.ones((10, 4), np.float32), np.nan)
    status = np.where(there, "detected", "absent").tolist()
    logits = 9.0 * np.eye(8)[np.arange(10) % 8]
    person = PersonPrediction(1, logits, xyxy_px, status, there, np.zeros(10, bool), "alone")
    return predictions_table([person], np.arange(10) / FPS, NO_SMOOTHING)


def test_each_frame_is_drawn_until_the_next_and_the_last_until_the_video_ends(frames):
    stacked, strip = plot_frames("clip", frames, 3.0, "").axes
    assert strip.get_xlim() == (0, 3.0)
    drawn = [area.get_datalim(stacked.transData).intervalx.tolist() for area in stacked.collections]
    assert sorted({tuple(np.round(span, 6)) for span in drawn}) == [(0, 0.4), (0.6, 0.7), (0.8, 3.0)]


def test_the_strip_has_a_colour_for_each_prediction_and_hatches_where_there_is_no_face(frames):
    _, strip = plot_frames("clip", frames, 1.0, "").axes
    spans = {
        (round(span.get_x(), 6), round(span.get_x() + span.get_width(), 6)): span
        for span in strip.patches
        if span.get_hatch() is None
    }
    predicted = [k for k in range(10) if k not in ABSENT]
    assert sorted(spans) == [(k / FPS, (k + 1) / FPS) for k in predicted]
    for k in predicted:
        assert spans[k / FPS, (k + 1) / FPS].get_facecolor()[:3] == to_rgb(COLOURS[k % 8])
    hatched = [(span.get_x(), span.get_x() + span.get_width()) for span in strip.patches if span.get_hatch()]
    assert np.allclose(hatched, [(0.4, 0.6), (0.7, 0.8)])


def test_the_legend_names_gaps_only_where_there_are_some(frames):
    def names(rows):
        (legend,) = plot_frames("clip", rows, 1.0, "").legends
        return [text.get_text() for text in legend.get_texts()]

    assert names(frames) == [*EXPRESSIONS[::-1], "no face", "no prediction"]
    assert names(frames[:4]) == list(EXPRESSIONS[::-1])


def test_a_skipped_video_gets_its_reason(frames):
    figure = plot_frames("bad", frames[:0], 0.0, "it cannot be opened")
    assert not figure.axes and "skipped: it cannot be opened" in [text.get_text() for text in figure.texts]
