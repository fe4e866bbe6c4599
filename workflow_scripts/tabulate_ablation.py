"""Score every configuration of the ablation in the same way, and write the table as Parquet, text and figure."""

import logging
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from matplotlib.figure import Figure

from frame_expressions.artifacts.logits import join_labelled, read_labelled_logits
from frame_expressions.artifacts.parquet import write_parquet
from frame_expressions.artifacts.provenance import provenance_of
from frame_expressions.artifacts.text import write_text
from frame_expressions.artifacts.vocabulary import UNLABELLED
from frame_expressions.challenge.scores import bootstrap_interval, group_confusions, macro_f1
from frame_expressions.report.ablation_summary import summarise
from frame_expressions.report.figures import write_png
from frame_expressions.runtime.job import log_to, print_result, progress
from frame_expressions.smoothing.evaluation import EvaluationSettings, names_of_frames
from frame_expressions.smoothing.search import SmoothingSearchSettings, best_smoothing, search
from frame_expressions.smoothing.smoothing import Smoothing, smooth_tracks

NOTES = """
macro_f1: smoothed, kind and window chosen on the fold's selection tracks (mean and standard deviation over {seeds}
seeds; difference to the method seed by seed); unsmoothed: before smoothing; padded: on the {padded} frames whose
crops extend past the frame's edge. Folds: {folds}.
"""


def run(
    *,
    rows: list[dict],
    method: str,
    group_of: dict[str, str],
    smoothing: SmoothingSearchSettings,
    evaluation: EvaluationSettings,
    table: Path,
    text: Path,
    figure: Path,
) -> None:
    """Write one row per configuration and seed, and a row per smoothing kind for the `method`'s own logits.

    rows: configuration, varies, seed, and the logits of each fold; the `method`'s first. group_of: the video of each
    track.
    """
    scored, padded = [], None
    for row in progress(rows, len(rows), "configurations", "runs"):
        logging.info("%s, seed %d", row["configuration"], row["seed"])
        folds = [_Fold(Path(path), smoothing.candidates) for path in row["logits"]]
        tried = {None: row}
        if row["configuration"] == method:
            # Padding depends on the crop scales; every row is scored on the frames that are padded in the method.
            padded = np.concatenate([fold.heldout.padded_share for fold in folds]) > 0
            for kind in ("none", *smoothing.kinds):
                tried[kind] = row | {"configuration": f"smoothing_{kind}", "varies": "smoothing"}
        for kind, described in tried.items():
            scores = _score(folds, kind, padded, group_of, evaluation)
            scored.append({name: described[name] for name in ("configuration", "varies", "seed")} | scores)
    # The smoothing rows of all seeds come last.
    found = pd.DataFrame(scored).sort_values("varies", key=lambda column: column == "smoothing", kind="stable")
    found = found.reset_index(drop=True)
    settings = {"smoothing": asdict(smoothing), "evaluation": asdict(evaluation)}
    provenance = provenance_of(settings, [Path(path) for row in rows for path in row["logits"]])
    write_parquet(pa.Table.from_pandas(found, preserve_index=False), table, provenance)
    summary = summarise(found, method)
    notes = NOTES.format(
        seeds=found["seed"].nunique(),
        padded=found["num_padded"].iloc[0],
        folds=", ".join(Path(path).parent.name for path in rows[0]["logits"]),
    )
    readable = summary.to_string(float_format="%.4f", na_rep="-") + "\n" + notes
    write_text(readable, text)
    _draw(found, method, figure)
    print_result(readable)
    logging.info("made %s: %d rows", table, len(found))


class _Fold:
    """One fold's logits and every smoothing's score on its selection tracks."""

    def __init__(self, logits: Path, candidates: list[Smoothing]):
        self.scored = list(search(read_labelled_logits(logits, "selection"), candidates))
        self.heldout = read_labelled_logits(logits, "heldout")

    def predict(self, kind: str | None) -> np.ndarray:
        """Classes [N] of the held-out frames, smoothed by the best of one kind, or of all."""
        chosen, _ = best_smoothing(row for row in self.scored if kind in (None, row[0].kind))
        return smooth_tracks(self.heldout, chosen)


def _score(
    folds: list[_Fold],
    kind: str | None,
    is_padded: np.ndarray,
    group_of: dict[str, str],
    evaluation: EvaluationSettings,
) -> dict:
    """Scores of the folds' held-out frames together, smoothed by the best of one kind or of all."""
    frames = join_labelled(fold.heldout for fold in folds)
    predicted = np.concatenate([fold.predict(kind) for fold in folds])
    unsmoothed = np.concatenate([fold.predict("none") for fold in folds])
    padded = np.where(is_padded, frames.labels, UNLABELLED)
    counts = group_confusions(frames.labels, predicted, names_of_frames(frames, group_of))
    low, high = bootstrap_interval(counts, evaluation.num_resamples, evaluation.seed)
    has_padded = bool((padded != UNLABELLED).any())
    return {
        "macro_f1": macro_f1(frames.labels, predicted),
        "macro_f1_low": low,
        "macro_f1_high": high,
        "macro_f1_unsmoothed": macro_f1(frames.labels, unsmoothed),
        "macro_f1_padded": macro_f1(padded, predicted) if has_padded else None,
        "macro_f1_padded_unsmoothed": macro_f1(padded, unsmoothed) if has_padded else None,
        "num_labelled": int((frames.labels != UNLABELLED).sum()),
        "num_padded": int((padded != UNLABELLED).sum()),
    }


def _draw(found: pd.DataFrame, method: str, path: Path) -> None:
    names = list(dict.fromkeys(found["configuration"]))
    means = found.groupby("configuration")["macro_f1"].mean()
    figure = Figure(figsize=(8, 0.32 * len(names) + 1.2), layout="constrained")
    axes = figure.subplots()
    axes.scatter(means[names], names, s=200, marker="|", color="black", label="mean")
    axes.scatter(found["macro_f1"], found["configuration"], s=14, zorder=3, label="one seed")
    axes.axvline(means[method], color="grey", linestyle="--", linewidth=1, label="the method's mean")
    axes.set(xlabel="macro-F1", title="Ablation")
    axes.legend()
    axes.invert_yaxis()
    axes.grid(axis="x", alpha=0.3)
    write_png(figure, path)


if __name__ == "__main__":
    job = snakemake  # noqa: F821
    with log_to(job.log[0]):
        run(
            rows=job.params.rows,
            method=job.params.method,
            group_of=job.params.group_of,
            smoothing=SmoothingSearchSettings(**job.params.smoothing),
            evaluation=EvaluationSettings(**job.params.evaluation),
            table=Path(job.output.table),
            text=Path(job.output.text),
            figure=Path(job.output.figure),
        )
