"""The predictions of one video over time, as a figure."""

from itertools import pairwise

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from frame_expressions.artifacts.vocabulary import ABSENT, EXPRESSIONS
from frame_expressions.prediction.frame_table import PROBABILITIES
from frame_expressions.report.palette import COLOURS


def plot_frames(video: str, frames: pd.DataFrame) -> Figure:
    """For each person, stacked probabilities over time, and below them the smoothed expression, grey without a face.

    video: the title. frames: the video's table (`frame_table.predictions_table`).
    """
    persons = list(frames.groupby("person"))
    heights = [4, 1] * max(len(persons), 1)
    figure = Figure(figsize=(11, 1 + 2.4 * max(len(persons), 1)), layout="constrained")
    rows = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    for (person, of_person), stacked, strip in zip(persons, rows[::2], rows[1::2], strict=False):
        time_s = of_person["time_s"].to_numpy()
        stacked.stackplot(time_s, of_person[list(PROBABILITIES)].T.to_numpy(), colors=COLOURS, labels=EXPRESSIONS)
        stacked.set(ylim=(0, 1), ylabel=f"person {person}")
        ends_s = np.append(time_s, time_s[-1] + (np.median(np.diff(time_s)) if len(time_s) > 1 else 0.04))
        classes = np.array([EXPRESSIONS.index(name) for name in of_person["expression"]])
        for start, end in _stretches(classes):
            strip.axvspan(ends_s[start], ends_s[end], color=COLOURS[classes[start]], linewidth=0)
        for start, end in _stretches((of_person["face"] == ABSENT).to_numpy(), only=True):
            strip.axvspan(ends_s[start], ends_s[end], ymax=0.3, color="0.5", linewidth=0)
        strip.set(yticks=[], ylabel="smoothed", xlim=(0, ends_s[-1]))
        strip.yaxis.label.set(rotation=0, ha="right", va="center", size=8)
    rows[-1].set_xlabel("time (s); grey at the bottom: no face, predicted from the audio")
    rows[0].set_title(video)
    if persons:
        figure.legend(*rows[0].get_legend_handles_labels(), loc="outside right upper", frameon=False, reverse=True)
    return figure


def _stretches(values: np.ndarray, only: bool | None = None) -> list[tuple[int, int]]:
    """Half-open ranges of equal neighbours; if `only` is given, just those of that value."""
    cuts = [0, *(np.flatnonzero(np.diff(values)) + 1).tolist(), len(values)]
    ranges = [(start, end) for start, end in pairwise(cuts) if end > start]
    return [pair for pair in ranges if only is None or values[pair[0]] == only]
