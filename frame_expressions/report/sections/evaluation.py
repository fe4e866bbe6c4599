"""Sections on the predictions: confusion, F1 of each class, the most influential tracks, and timelines.

Shapes: T frames of a track, N of all tracks, C classes.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from frame_expressions.artifacts.logits import read_labelled_logits
from frame_expressions.artifacts.parquet import read_parquet
from frame_expressions.artifacts.vocabulary import ABSENT, EXPRESSIONS
from frame_expressions.challenge.scores import f1_intervals, group_confusions
from frame_expressions.media.timeline import duration_s
from frame_expressions.report.page import Folded, Legend, Picture, Pictures, Section, Table, Text
from frame_expressions.report.palette import COLOURS
from frame_expressions.report.pictures import figure_picture
from frame_expressions.report.plots import draw_confusion, draw_f1, draw_timeline
from frame_expressions.runtime.errors import InputError
from frame_expressions.smoothing.evaluation import shift_labels
from frame_expressions.smoothing.smoothing import NO_SMOOTHING, Smoothing

NUM_INFLUENTIAL, NUM_TIMELINES = 3, 2


@dataclass(frozen=True)
class Heldout:
    """One held-out track: times [T]; truth (-1 unlabelled), unsmoothed and smoothed predictions, int8 [T]."""

    time_s: np.ndarray
    truth: np.ndarray
    prediction: np.ndarray
    smoothed: np.ndarray


def read_heldout(logits: list[Path], best: list[Path], label_shift_frames: int) -> dict[str, Heldout]:
    """The held-out tracks by name, with the predictions of their folds and the labels as they are scored.

    best: the smoothing of each fold, or one for all.
    """
    found = {}
    for path, chosen in zip(logits, Smoothing.read_all(best, len(logits)), strict=True):
        fold = shift_labels(read_labelled_logits(path, "heldout"), label_shift_frames)
        ends = np.cumsum([len(array) for array in fold.logits.values()])[:-1]
        for (track, array), truth in zip(fold.logits.items(), np.split(fold.labels, ends), strict=True):
            time_s, imputed = fold.time_s[track], fold.imputed[track]
            classes = [smoothing.classes(array, time_s, imputed) for smoothing in (NO_SMOOTHING, chosen)]
            found[track] = Heldout(time_s, truth, *classes)
    return found


def scores_section(
    scores: dict,
    tracks: pd.DataFrame,
    heldout: dict[str, Heldout],
    group_of: dict[str, str],
    num_resamples: int,
    seed: int,
) -> Section:
    """Confusion matrix, F1 of each class, and the most influential tracks. tracks: the table that evaluate wrote."""
    counts = np.array(scores["confusion"])
    f1 = np.array([scores["f1"][name] for name in EXPRESSIONS])
    truth, smoothed = (
        np.concatenate([getattr(track, name) for track in heldout.values()]) for name in ("truth", "smoothed")
    )
    group = np.repeat([group_of[name] for name in heldout], [len(track.truth) for track in heldout.values()])
    confusions = group_confusions(truth, smoothed, group)
    if not np.array_equal(confusions.sum(axis=0), counts):
        raise InputError("The logits have changed since they were scored", "run `snakemake report` again to score them")
    intervals = f1_intervals(confusions, num_resamples, seed)
    worst, best = EXPRESSIONS[f1.argmin()], EXPRESSIONS[f1.argmax()]
    pictures = [
        figure_picture(
            partial(draw_confusion, counts=counts),
            4.6,
            "Confusion matrix; its counts are in the table below.",
            "Percentage of each true class's frames that was predicted as each class.",
        ),
        figure_picture(
            partial(draw_f1, f1=f1, intervals=intervals, mean=scores["macro_f1"]),
            4.0,
            f"F1 of each class with its interval, highest for {best}, lowest for {worst}; the table has the numbers.",
            f"F1 of each class with its 95% interval (bootstrap over {scores['num_videos']} videos).",
        ),
    ]
    f1_rows = [
        [name, f"{value:.4f}", f"{low:.3f} to {high:.3f}", f"{frames:,}"]
        for name, value, (low, high), frames in zip(EXPRESSIONS, f1, intervals, counts.sum(axis=1), strict=True)
    ]
    confusion_rows = [[name, *map(str, row)] for name, row in zip(EXPRESSIONS, counts, strict=True)]
    blocks = [
        Pictures(pictures, least_px=400),
        Table("F1 of each class", ["class", "F1", "95% interval", "frames"], f1_rows),
        Folded(
            "Confusion matrix in frames",
            [Table("True class by predicted class", ["true", *EXPRESSIONS], confusion_rows)],
        ),
        _influential(tracks, scores["macro_f1"]),
    ]
    return Section("scores", "Scores by class and track", blocks)


def _influential(tracks: pd.DataFrame, macro_f1: float) -> Table:
    labelled = tracks[tracks["num_labelled"] > 0]
    moves = (labelled["macro_f1_without"] - macro_f1).sort_values(key=np.abs, ascending=False, kind="stable")
    rows = [
        [
            row["track"],
            f"{row['num_labelled']:,}",
            f"{row['accuracy']:.1%}",
            f"{row['macro_f1_without']:.4f}",
            f"{move:+.4f}",
        ]
        for (_, row), move in zip(labelled.loc[moves.index[:NUM_INFLUENTIAL]].iterrows(), moves, strict=False)
    ]
    headers = ["track", "frames", "accuracy", "macro-F1 without it", "change"]
    return Table("Macro-F1 without one track: the most influential tracks", headers, rows)


def timelines_section(tracks: pd.DataFrame, heldout: dict[str, Heldout], subjects: dict[str, Path]) -> Section:
    """Truth and prediction over time for the tracks with the best and worst accuracy. subjects: by track."""
    ranked = tracks[tracks["num_labelled"] > 0].sort_values("accuracy", ascending=False, kind="stable")
    best = ranked.head(min(NUM_TIMELINES, (len(ranked) + 1) // 2))
    worst = ranked.tail(min(NUM_TIMELINES, len(ranked) // 2))
    pictures = [
        _timeline(kind, row.track, row.accuracy, heldout[row.track], subjects[row.track])
        for kind, rows in (("best", best), ("worst", worst))
        for row in rows.itertuples()
    ]
    text = (
        "The tracks with the best and worst accuracy, the share of labelled frames whose smoothed prediction is "
        "correct. Face: a high bar where it was detected, a low bar where it was interpolated, and no bar where it was "
        "absent and only audio was used."
    )
    legend = Legend(list(zip(EXPRESSIONS, COLOURS, strict=True)))
    return Section("timelines", "Timelines", [Text(text), legend, Pictures(pictures, least_px=400)])


def _timeline(kind: str, track: str, accuracy: float, heldout: Heldout, subject: Path) -> Picture:
    status = np.array(read_parquet(subject, columns=["status"])["status"].to_pylist())
    if len(status) != len(heldout.truth):
        raise InputError(
            f"{subject} and the logits of {track} have different numbers of frames",
            "delete it and run the workflow again",
        )
    edges_s = np.append(heldout.time_s, duration_s(heldout.time_s))
    classes = (heldout.truth, heldout.prediction, heldout.smoothed)
    summary = f"{accuracy:.1%} of labelled frames correct, face absent in {np.mean(status == ABSENT):.1%} of frames"
    return figure_picture(
        partial(draw_timeline, edges_s=edges_s, classes=classes, status=status),
        1.9,
        f"Timeline of {track}, {edges_s[-1]:.1f} s: truth, prediction, smoothed prediction and face. {summary}.",
        f"{track} ({kind}): {summary}.",
    )
