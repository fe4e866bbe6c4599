"""Draws the figures of the report.

Shapes: T frames of a track, C classes.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.colors import LinearSegmentedColormap, to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from frame_expressions.artifacts.vocabulary import DETECTED, EXPRESSIONS, INTERPOLATED
from frame_expressions.report.palette import COLOURS
from frame_expressions.report.pictures import MARKERS, Theme

STRIPS = ("truth", "prediction", "smoothed", "face")
_FACE_HEIGHT = {DETECTED: 0.8, INTERPOLATED: 0.3}


def draw_training(figure: Figure, theme: Theme, histories: dict[str, pd.DataFrame], scored_on: str) -> None:
    """Loss and macro-F1 by epoch, one line per history; a ring marks the best epoch. scored_on: for the axis label."""
    above, below = figure.subplots(2, 1, sharex=True)
    for number, (name, history) in enumerate(histories.items()):
        look = {"color": theme.series[number % len(theme.series)], "marker": MARKERS[number % len(MARKERS)]}
        above.plot(history["epoch"], history["train_loss"], markersize=3, label=name, **look)
        below.plot(history["epoch"], history["val_macro_f1"], markersize=3, **look)
        best = history.loc[history["val_macro_f1"].idxmax()]
        below.plot(best["epoch"], best["val_macro_f1"], "o", markersize=9, fillstyle="none", color=look["color"])
    above.set(ylabel="training loss", ylim=(0, None))
    below.set(xlabel="epoch (the ring marks the best)", ylabel=f"macro-F1 of\n{scored_on}")
    below.xaxis.set_major_locator(MaxNLocator(integer=True))
    for axes in (above, below):
        axes.grid()
    if len(histories) > 1:
        above.legend(ncols=2)


def draw_smoothing(figure: Figure, theme: Theme, search: pd.DataFrame, unit: str) -> None:
    """Macro-F1 by window, one line per kind. unit: of the windows."""
    axes = figure.subplots()
    for number, (kind, rows) in enumerate(search[search["kind"] != "none"].groupby("kind", sort=False)):
        look = {"color": theme.series[number % len(theme.series)], "marker": MARKERS[number % len(MARKERS)]}
        axes.plot(rows["window_frames"], rows["macro_f1"], markersize=4, label=kind, **look)
    plain = search.loc[search["kind"] == "none", "macro_f1"].iloc[0]
    axes.axhline(plain, color=theme.muted, linestyle="--", label="none")
    axes.set(xlabel=f"window ({unit})", ylabel="macro-F1")
    axes.grid()
    axes.legend(ncols=2)


def draw_confusion(figure: Figure, theme: Theme, counts: np.ndarray) -> None:
    """Confusion matrix as percentages of each true class. counts: [C, C], true by predicted."""
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    colours = LinearSegmentedColormap.from_list("shares", [theme.paper, theme.series[0]])
    axes = figure.subplots()
    axes.imshow(shares, cmap=colours, vmin=0, vmax=1)
    for (true, predicted), share in np.ndenumerate(shares):
        ink = _ink_on(to_hex(colours(share)))
        axes.text(predicted, true, f"{100 * share:.0f}", color=ink, ha="center", va="center")
    places = range(len(EXPRESSIONS))
    axes.set_xticks(places, EXPRESSIONS, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(places, EXPRESSIONS)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set(xlabel="predicted", ylabel="true")


def draw_f1(figure: Figure, theme: Theme, f1: np.ndarray, intervals: np.ndarray, mean: float) -> None:
    """F1 of each class [C] with its interval [C, 2]; a dashed line marks their mean."""
    axes = figure.subplots()
    places = np.arange(len(f1))
    axes.hlines(places, intervals[:, 0], intervals[:, 1], color=theme.series[0], linewidth=2)
    axes.plot(f1, places, "o", color=theme.series[0])
    axes.axvline(mean, color=theme.muted, linestyle="--", zorder=0)
    axes.set_yticks(places, EXPRESSIONS)
    axes.set(xlabel="F1 (dashed line: mean over classes)", xlim=(0, 1), ylim=(len(f1) - 0.5, -0.5))
    axes.grid(axis="x")


def draw_timeline(
    figure: Figure, theme: Theme, edges_s: np.ndarray, classes: Sequence[np.ndarray], status: np.ndarray
) -> None:
    """Three strips of classes and one of the face over time.

    edges_s [T + 1]: start times of the frames, and the end of the last one. classes: truth, prediction and smoothed
    prediction, int8 [T] each, -1 where unlabelled. status [T]: drawn as a high bar where the face was detected, a low
    bar where it was interpolated, and no bar where it was absent.
    """
    axes = figure.subplots()

    def draw_bars(values: np.ndarray, value: object, bottom: float, height: float, colour: str) -> None:
        spans = [(edges_s[start], edges_s[end] - edges_s[start]) for start, end in stretches(values == value)]
        axes.broken_barh(spans, (bottom, height), color=colour, linewidth=0)

    for place, strip in enumerate(classes):
        for number, colour in enumerate(COLOURS):
            draw_bars(strip, number, place - 0.4, 0.8, colour)
    for value, height in _FACE_HEIGHT.items():
        draw_bars(status, value, len(classes) + 0.4 - height, height, theme.muted)
    axes.set_yticks(range(len(STRIPS)), STRIPS)
    axes.tick_params(axis="y", length=0)
    axes.set(xlabel="time (s)", xlim=(edges_s[0], edges_s[-1]), ylim=(len(STRIPS) - 0.5, -0.5))
    axes.spines["left"].set_visible(False)


def stretches(holds: np.ndarray) -> list[tuple[int, int]]:
    """Half-open ranges of frames in which `holds`, bool [T], is True."""
    steps = np.diff(holds.astype(np.int8), prepend=0, append=0)
    return list(zip(np.flatnonzero(steps == 1).tolist(), np.flatnonzero(steps == -1).tolist(), strict=True))


def _ink_on(colour: str) -> str:
    """Black or white, whichever has the higher contrast on `colour` (always at least 4.5)."""
    channels = np.array(to_rgb(colour))
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    luminance = linear @ (0.2126, 0.7152, 0.0722)
    return "black" if (luminance + 0.05) ** 2 > 0.05 * 1.05 else "white"
