"""Score every configuration of the ablation in the same way, and write the table as Parquet, text and figure."""

import logging
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from matplotlib.figure import Figure

from frame_expressions.artifacts.logits import read_labelled_logits
from frame_expressions.artifacts.parquet import write_parquet
from frame_expressions.artifacts.provenance import provenance_of
from frame_expressions.artifacts.schemas import ABLATION
from frame_expressions.artifacts.text import write_text
from frame_expressions.artifacts.vocabulary import HELDOUT, SELECTION
from frame_expressions.challenge.scores import difference_interval
from frame_expressions.report.ablation_summary import summarise
from frame_expressions.report.figures import write_png
from frame_expressions.runtime.job import log_to, print_result, progress
from frame_expressions.smoothing.ablation_scores import AblationFold, padded_frames, score_configuration
from frame_expressions.smoothing.evaluation import EvaluationSettings
from frame_expressions.smoothing.search import SmoothingSearchSettings

NOTES = """
macro_f1: smoothed, kind and window chosen on the fold's selection tracks (mean and standard deviation over {seeds}
seeds; difference to the method seed by seed; low, high: the 95 % interval of the difference over videos); unsmoothed:
before smoothing; complete: on the {complete:,} labelled frames with face and audio, which the paper scores; padded: on
the {padded} frames whose crops extend past the frame's edge. Folds: {folds}.
"""
SHIFT_NOTES = "evaluation.label_shift_frames is {shift}: labels are moved as in the authors' scripts.\n"


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
    """Write one row per configuration and seed, and one row per smoothing kind for the logits of the `method`.

    rows: configuration, varies, seed, and the logits of each fold; the rows of the `method` come first. group_of: the
    video of each track.
    """
    scored, padded = [], None
    counts_of: dict[str, list[np.ndarray]] = {}
    for row in progress(rows, len(rows), "configurations", "runs"):
        logging.info("%s, seed %d", row["configuration"], row["seed"])
        folds = [_read_fold(Path(path), smoothing) for path in row["logits"]]
        tried = {None: row}
        if row["configuration"] == method:
            # Padding depends on the crop scales; every row is scored on the frames that are padded in the method.
            padded = padded_frames(folds)
            for kind in ("none", *smoothing.kinds):
                tried[kind] = row | {"configuration": f"smoothing_{kind}", "varies": "smoothing"}
        for kind, described in tried.items():
            scores, counts = score_configuration(folds, kind, padded, group_of, evaluation)
            counts_of.setdefault(described["configuration"], []).append(counts)
            scored.append({name: described[name] for name in ("configuration", "varies", "seed")} | scores)
    # The smoothing rows of all seeds come last.
    found = pd.DataFrame(scored).sort_values("varies", key=lambda column: column == "smoothing", kind="stable")
    found = found.reset_index(drop=True)
    limits = _differences(counts_of, method, evaluation)
    found[["difference_low", "difference_high"]] = [limits[name] for name in found["configuration"]]
    settings = {"smoothing": asdict(smoothing), "evaluation": asdict(evaluation)}
    provenance = provenance_of(settings, [Path(path) for row in rows for path in row["logits"]])
    write_parquet(pa.Table.from_pandas(found, ABLATION, preserve_index=False), table, provenance)
    summary = summarise(found, method)
    notes = NOTES.format(
        seeds=found["seed"].nunique(),
        complete=found["num_complete"].iloc[0],
        padded=found["num_padded"].iloc[0],
        folds=", ".join(Path(path).parent.name for path in rows[0]["logits"]),
    )
    if evaluation.label_shift_frames:
        notes += SHIFT_NOTES.format(shift=evaluation.label_shift_frames)
    readable = summary.to_string(float_format="%.4f", na_rep="-") + "\n" + notes
    write_text(readable, text)
    _draw(found, method, figure)
    print_result(readable)
    logging.info("made %s: %d rows", table, len(found))


def _differences(
    counts_of: dict[str, list[np.ndarray]], method: str, evaluation: EvaluationSettings
) -> dict[str, tuple[float, float]]:
    """The interval of each configuration's difference to the method. counts_of: [G, C, C] of each seed."""
    stacked = {name: np.stack(counts, axis=1) for name, counts in counts_of.items()}
    return {
        name: difference_interval(counts, stacked[method], evaluation.num_resamples, evaluation.seed)
        for name, counts in stacked.items()
    }


def _read_fold(logits: Path, smoothing: SmoothingSearchSettings) -> AblationFold:
    selection, heldout = (read_labelled_logits(logits, role) for role in (SELECTION, HELDOUT))
    return AblationFold(selection, heldout, smoothing.candidates)


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
