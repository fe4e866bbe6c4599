"""Score the predictions of one or several folds for their held-out tracks."""

import logging
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow as pa
from matplotlib.figure import Figure
from sklearn.metrics import ConfusionMatrixDisplay

from frame_expressions.artifacts.logits import read_labelled_logits
from frame_expressions.artifacts.parquet import write_parquet
from frame_expressions.artifacts.provenance import provenance_of
from frame_expressions.artifacts.schemas import TRACK_SCORES
from frame_expressions.artifacts.text import write_json
from frame_expressions.artifacts.vocabulary import EXPRESSIONS
from frame_expressions.report.figures import write_png
from frame_expressions.runtime.job import log_to
from frame_expressions.smoothing.evaluation import EvaluationSettings, score_folds
from frame_expressions.smoothing.search import every_kind
from frame_expressions.smoothing.smoothing import Smoothing


def run(
    *,
    logits: list[Path],
    best: list[Path],
    group_of: dict[str, str],
    settings: EvaluationSettings,
    compares_kinds: bool,
    scores: Path,
    tracks: Path,
    confusion: Path,
) -> None:
    """Write the scores of the folds' held-out tracks, a table of the tracks, and the confusion matrix as a figure.

    logits, best: the logits and the smoothing of each fold, or one smoothing for all. group_of: the video of each
    track, the unit of the bootstrap. compares_kinds: whether every kind is scored with the first fold's window.
    """
    folds = [read_labelled_logits(path, "heldout") for path in logits]
    choices = Smoothing.read_all(best, len(folds))
    compared = every_kind(choices[0].window_frames, choices[0].imputed) if compares_kinds else []
    found, table = score_folds(folds, choices, group_of, settings, compared)
    provenance = provenance_of(asdict(settings), [*logits, *best])
    write_json(found | {"provenance": provenance}, scores)
    write_parquet(pa.Table.from_pandas(table, TRACK_SCORES, preserve_index=False), tracks, provenance)
    _draw(np.array(found["confusion"]), confusion)
    low, high = found["macro_f1_interval_95"]
    logging.info("made %s: macro-F1 %.4f, 95 %% interval %.4f to %.4f", scores, found["macro_f1"], low, high)


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
            settings=EvaluationSettings(**job.params.evaluation),
            compares_kinds=job.params.compares_kinds,
            scores=Path(job.output.scores),
            tracks=Path(job.output.tracks),
            confusion=Path(job.output.confusion),
        )
