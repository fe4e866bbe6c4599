"""Score what one or several folds predict for the tracks that they are reported on."""

import logging
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from matplotlib.figure import Figure
from sklearn.metrics import ConfusionMatrixDisplay

from frame_expressions.artifacts.logits import join_labelled, read_labelled_logits
from frame_expressions.artifacts.parquet import write_parquet
from frame_expressions.artifacts.provenance import provenance_of
from frame_expressions.artifacts.text import write_json
from frame_expressions.artifacts.vocabulary import EXPRESSIONS, UNLABELLED
from frame_expressions.challenge.scores import bootstrap_interval, f1_of_confusion, group_confusions, macro_f1
from frame_expressions.report.figures import write_png
from frame_expressions.runtime.job import log_to
from frame_expressions.smoothing.smoothing import NO_SMOOTHING, Smoothing, smooth_tracks


def run(
    *,
    logits: list[Path],
    best: list[Path],
    group_of: dict[str, str],
    scores: Path,
    tracks: Path,
    confusion: Path,
    num_resamples: int,
    seed: int,
) -> None:
    """Write the scores of the folds' held-out tracks, together and fold by fold, the tracks' own, and a figure.

    What no labelled frame counts for (a class nowhere, faces where none was detected) has an F1 of 0, or a score of
    null. logits, best: of each fold its logits and its smoothing. group_of: the video of each track, the unit of the
    bootstrap.
    """
    folds = [read_labelled_logits(path, "heldout") for path in logits]
    choices = [Smoothing.read(path) for path in best]
    smoothed = [smooth_tracks(fold, choice) for fold, choice in zip(folds, choices, strict=True)]
    plain = [smooth_tracks(fold, NO_SMOOTHING) for fold in folds]
    together = join_labelled(folds)
    predicted, unsmoothed = np.concatenate(smoothed), np.concatenate(plain)
    labels, detected = together.labels, together.detected

    lengths = [len(array) for array in together.logits.values()]
    track = np.repeat(list(together.logits), lengths)
    group = np.repeat([group_of[name] for name in together.logits], lengths)
    low, high = bootstrap_interval(group_confusions(labels, predicted, group), num_resamples, seed)
    counts = group_confusions(labels, predicted, np.zeros(len(labels)))[0]
    by_fold = [
        {
            "macro_f1": macro_f1(fold.labels, classes),
            "macro_f1_unsmoothed": macro_f1(fold.labels, raw),
            **asdict(choice),
        }
        for fold, classes, raw, choice in zip(folds, smoothed, plain, choices, strict=True)
    ]
    on_faces = np.where(detected, labels, UNLABELLED)
    figures = np.array([row["macro_f1"] for row in by_fold])
    provenance = provenance_of({"num_resamples": num_resamples, "seed": seed}, [*logits, *best])
    write_json(
        {
            "folds": by_fold,
            "macro_f1_mean": float(figures.mean()),
            # The sample's standard deviation; a single fold has none.
            "macro_f1_std": float(figures.std(ddof=1)) if len(figures) > 1 else None,
            "macro_f1": macro_f1(labels, predicted),
            "macro_f1_interval_95": [low, high],
            "macro_f1_unsmoothed": macro_f1(labels, unsmoothed),
            "macro_f1_detected": macro_f1(on_faces, predicted) if (on_faces != UNLABELLED).any() else None,
            "f1": dict(zip(EXPRESSIONS, f1_of_confusion(counts).tolist(), strict=True)),
            "confusion": counts.tolist(),
            "num_labelled": int((labels != UNLABELLED).sum()),
            "num_labelled_detected": int(((labels != UNLABELLED) & detected).sum()),
            "num_videos": len(set(group)),
            "provenance": provenance,
        },
        scores,
    )
    table = _by_track(track, labels, predicted)
    write_parquet(pa.Table.from_pandas(table, preserve_index=False), tracks, provenance)
    _draw(counts, confusion)
    logging.info("made %s: macro-F1 %.4f, 95 %% interval %.4f to %.4f", scores, macro_f1(labels, predicted), low, high)


def _by_track(track: np.ndarray, labels: np.ndarray, predicted: np.ndarray) -> pd.DataFrame:
    """Each track's labelled frames, share of hits, and the macro-F1 of all the others: what it does to the score."""
    counts = group_confusions(labels, predicted, track)
    labelled = counts.sum(axis=(1, 2))
    hits = np.diagonal(counts, axis1=1, axis2=2).sum(axis=1)
    return pd.DataFrame(
        {
            "track": np.unique(track),
            "num_labelled": labelled,
            "accuracy": hits / np.maximum(labelled, 1),
            "macro_f1_without": f1_of_confusion(counts.sum(axis=0) - counts).mean(axis=1),
        }
    )


def _draw(counts: np.ndarray, confusion: Path) -> None:
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure = Figure(figsize=(7, 6), layout="constrained")
    axes = figure.subplots()
    display = ConfusionMatrixDisplay(shares, display_labels=EXPRESSIONS)
    display.plot(ax=axes, values_format=".2f", cmap="Blues", xticks_rotation=45, im_kw={"vmin": 0, "vmax": 1})
    axes.set(title="Share of each true class's frames", xlabel="predicted", ylabel="true")
    write_png(figure, confusion)


if __name__ == "__main__":
    job = snakemake  # noqa: F821
    with log_to(job.log[0]):
        run(
            logits=[Path(path) for path in job.input.logits],
            best=[Path(path) for path in job.input.best],
            group_of=job.params.group_of,
            scores=Path(job.output.scores),
            tracks=Path(job.output.tracks),
            confusion=Path(job.output.confusion),
            num_resamples=job.params.num_resamples,
            seed=job.params.seed,
        )
