"""The predictions of one video over time, as a figure."""

import textwrap
from itertools import pairwise

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from frame_expressions.artifacts.vocabulary import ABSENT, EXPRESSIONS, NOTHING
from frame_expressions.prediction.frame_table import PROBABILITIES
from frame_expressions.report.palette import COLOURS

_HATCHED = {"facecolor": "white", "edgecolor": "0.35", "hatch": "////", "linewidth": 0}


def plot_frames(video: str, frames: pd.DataFrame, length_s: float, skipped: str) -> Figure:
    """For each person, stacked probabilities over time, and below them the smoothed expression.

    Frames without a face are hatched; frames without a prediction are left blank. video: the title. frames: the video's
    table (`frame_table.predictions_table`). length_s: of the video. skipped: why it has no frames, or empty.
    """
    if frames.empty:
        return _notice(video, skipped)
    persons = list(frames.groupby("person"))
    heights = [4, 1] * len(persons)
    figure = Figure(figsize=(11, 1 + 2.4 * len(persons)), layout="constrained")
    rows = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    for (person, of_person), stacked, strip in zip(persons, rows[::2], rows[1::2], strict=True):
        time_s = of_person["time_s"].to_numpy()
        ends_s = np.append(time_s, length_s)
        shares = of_person[list(PROBABILITIES)].T.to_numpy()
        for start, end in _stretches(~np.isnan(shares[0]), only=True):
            shown = np.column_stack([shares[:, start:end], shares[:, end - 1]])  # each frame lasts until the next one
            stacked.stackplot(ends_s[start : end + 1], shown, step="post", colors=COLOURS)
        stacked.set(ylim=(0, 1), title=f"person {person}" if len(persons) > 1 else None, ylabel="probability")
        classes = pd.Categorical(of_person["expression"], EXPRESSIONS).codes  # -1 without a prediction
        for start, end in _stretches(classes):
            if classes[start] >= 0:
                strip.axvspan(ends_s[start], ends_s[end], color=COLOURS[classes[start]], linewidth=0)
        for start, end in _stretches((of_person["face"] == ABSENT).to_numpy(), only=True):
            strip.axvspan(ends_s[start], ends_s[end], ymax=0.4, **_HATCHED)
        strip.set(yticks=[], ylabel="smoothed", xlim=(0, ends_s[-1]))
        strip.yaxis.label.set(rotation=0, ha="right", va="center", size=8)
    rows[-1].set_xlabel("time (s)")
    figure.suptitle(video)
    figure.legend(handles=_legend(frames), loc="outside right upper", frameon=False)
    return figure


def _notice(video: str, skipped: str) -> Figure:
    figure = Figure(figsize=(11, 2))
    figure.suptitle(video)
    figure.text(0.5, 0.4, textwrap.fill(f"skipped: {skipped}", 110), ha="center", va="center")
    return figure


def _legend(frames: pd.DataFrame) -> list[Patch]:
    shown = [Patch(color=colour, label=name) for name, colour in zip(EXPRESSIONS, COLOURS, strict=True)][::-1]
    if (frames["face"] == ABSENT).any():
        shown.append(Patch(**_HATCHED, label="no face"))
    if (frames["predicted_from"] == NOTHING).any():
        shown.append(Patch(facecolor="white", edgecolor="0.35", label="no prediction"))
    return shown


def _stretches(values: np.ndarray, only: bool | None = None) -> list[tuple[int, int]]:
    """Half-open ranges of equal neighbours; if `only` is given, just those of that value."""
    cuts = [0, *(np.flatnonzero(np.diff(values)) + 1).tolist(), len(values)]
    ranges = [(start, end) for start, end in pairwise(cuts) if end > start]
    return [pair for pair in ranges if only is None or values[pair[0]] == only]
