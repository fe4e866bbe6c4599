"""Try every smoothing kind and window on held-out logits and keep the best."""

import logging
from pathlib import Path

import matplotlib
import pandas as pd
import pyarrow as pa

from workflow_scripts.lib.artifacts import made_by, replacing, write_json, write_parquet
from workflow_scripts.lib.job import log_to, progress
from workflow_scripts.lib.logits import read_logits
from workflow_scripts.lib.smoothing import search

matplotlib.use("Agg")
from matplotlib import pyplot as plt


def run(*, logits: Path, table: Path, best: Path, curve: Path, kinds: list[str], windows: list[int]) -> None:
    """Write macro-F1 by kind and window, the best of them (the smallest window of equals), and a figure."""
    tracks, expression = read_logits(logits)
    logging.info("%s: kinds %s, %d windows, %d tracks", logits, ", ".join(kinds), len(windows), len(tracks))
    candidates = [("none", 1)] + [(kind, window) for kind in kinds for window in windows]
    scores = pd.DataFrame(
        search(list(tracks.values()), expression, progress(candidates, len(candidates), "search", "windows")),
        columns=["kind", "window_frames", "macro_f1"],
    )
    chosen = scores.sort_values(["macro_f1", "window_frames"], ascending=[False, True], kind="stable").iloc[0]
    provenance = made_by({"kinds": kinds, "windows": windows}, [logits])
    write_parquet(pa.Table.from_pandas(scores, preserve_index=False), table, provenance)
    write_json(
        {
            "kind": chosen["kind"],
            "window_frames": int(chosen["window_frames"]),
            "macro_f1": float(chosen["macro_f1"]),
            "macro_f1_unsmoothed": float(scores["macro_f1"].iloc[0]),
            "made_by": provenance,
        },
        best,
    )
    _draw(scores, curve)
    logging.info("made %s: %s over %d frames, macro-F1 %.4f", best, *chosen)


def _draw(scores: pd.DataFrame, curve: Path) -> None:
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    for kind, rows in scores[scores["kind"] != "none"].groupby("kind", sort=False):
        axes.plot(rows["window_frames"], rows["macro_f1"], marker="o", markersize=3, label=kind)
    axes.axhline(scores["macro_f1"].iloc[0], color="grey", linestyle="--", label="none")
    axes.set(xlabel="window (frames)", ylabel="validation macro-F1", title="Smoothing over time")
    axes.grid(alpha=0.3)
    axes.legend()
    with replacing(curve) as temporary:
        figure.savefig(temporary, dpi=150, format="png", metadata={"Software": None})
    plt.close(figure)


if __name__ == "__main__":
    job = snakemake  # noqa: F821
    with log_to(job.log[0]):
        run(
            logits=Path(job.input.logits),
            table=Path(job.output.table),
            best=Path(job.output.best),
            curve=Path(job.output.curve),
            kinds=job.params.kinds,
            windows=job.params.windows,
        )
