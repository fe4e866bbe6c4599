"""Try every smoothing kind and window on validation logits and keep the best, or the one that is fixed beforehand."""

import logging
from dataclasses import asdict
from functools import partial
from itertools import groupby
from pathlib import Path

import pyarrow as pa
from matplotlib.figure import Figure

from frame_expressions.artifacts.logits import join_labelled, read_labelled_logits
from frame_expressions.artifacts.parquet import write_parquet
from frame_expressions.artifacts.provenance import provenance_of
from frame_expressions.artifacts.schemas import SMOOTHING_SEARCH
from frame_expressions.artifacts.text import write_json
from frame_expressions.report.figures import write_png
from frame_expressions.runtime.job import log_to, progress
from frame_expressions.smoothing.search import FixedSmoothingSettings, SmoothingSearchSettings, search
from frame_expressions.smoothing.smoothing import Smoothing


def run(
    *,
    logits: list[Path],
    role: str,
    table: Path,
    best: Path,
    curve: Path,
    settings: SmoothingSearchSettings | FixedSmoothingSettings,
) -> None:
    """Write macro-F1 by kind and window, the pair that is applied, and a figure.

    The best pair is applied (the smallest window among equals), or the one that the settings fix. Scored on the tracks
    with the role `role`, `selection` or `heldout`, of all files together.
    """
    frames = join_labelled(read_labelled_logits(path, role) for path in logits)
    logging.info("%s: %s, %d tracks", logits[0].parent, settings, len(frames.logits))
    shown = partial(progress, total=len(frames.logits), what="search", unit="tracks")
    rows = search(frames, settings.candidates, shown)
    scores = pa.table(
        {
            "kind": [tried.kind for tried, _ in rows],
            "window_frames": [tried.window_frames for tried, _ in rows],
            "macro_f1": [score for _, score in rows],
        },
        SMOOTHING_SEARCH,
    )
    chosen, macro_f1 = settings.choose(rows)
    provenance = provenance_of(asdict(settings) | {"windows_at_fps": settings.windows_at_fps, "role": role}, logits)
    write_parquet(scores, table, provenance)
    write_json(
        {
            **asdict(chosen),
            "macro_f1": macro_f1,
            "macro_f1_unsmoothed": rows[0][1],
            "provenance": provenance,
        },
        best,
    )
    _draw(rows, settings.windows_at_fps, curve)
    logging.info("made %s: %s, macro-F1 %.4f", best, chosen, macro_f1)


def _draw(rows: list[tuple[Smoothing, float]], windows_at_fps: float | None, curve: Path) -> None:
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    (_, unsmoothed), *smoothed = rows
    for kind, of_kind in groupby(smoothed, key=lambda row: row[0].kind):
        windows, scores = zip(*((tried.window_frames, score) for tried, score in of_kind), strict=True)
        axes.plot(windows, scores, marker="o", markersize=3, label=kind)
    axes.axhline(unsmoothed, color="grey", linestyle="--", label="none")
    unit = "window (frames)" if windows_at_fps is None else f"window (frames at {windows_at_fps:g} per second)"
    axes.set(xlabel=unit, ylabel="validation macro-F1", title="Smoothing over time")
    axes.grid(alpha=0.3)
    axes.legend()
    write_png(figure, curve)


if __name__ == "__main__":
    job = snakemake  # noqa: F821
    kind = FixedSmoothingSettings if job.params.is_fixed else SmoothingSearchSettings
    with log_to(job.log[0]):
        run(
            logits=[Path(path) for path in job.input.logits],
            role=job.params.role,
            table=Path(job.output.table),
            best=Path(job.output.best),
            curve=Path(job.output.curve),
            settings=kind(**job.params.smoothing),
        )
