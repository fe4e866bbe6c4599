"""Print the scores of the official split and of both cross-validation protocols side by side."""

import logging
from pathlib import Path

import pandas as pd

from frame_expressions.artifacts.text import read_json, write_text
from frame_expressions.artifacts.vocabulary import EXPRESSIONS
from frame_expressions.runtime.job import log_to, print_result

NOTES = """
official: the corpus's own split; nested, paper: cross-validation by video. In official and paper (as published), epoch
and smoothing are chosen on the frames that are scored; in nested, on other videos. mean, std: over the folds; pooled:
the frames of all folds together, with a 95 % bootstrap interval over videos; detected: without frames whose face was
interpolated or absent.
"""


def run(*, scores: dict[str, Path], table: Path) -> None:
    """Write a text table and print it. scores: the files that evaluate wrote, by protocol."""
    found = {protocol: read_json(path) for protocol, path in scores.items()}
    summary = pd.DataFrame({protocol: _figures(score) for protocol, score in found.items()}).T
    classes = pd.DataFrame({protocol: score["f1"] for protocol, score in found.items()}).T[list(EXPRESSIONS)]
    text = "\n".join(
        [
            "Macro-F1 over the eight classes",
            summary.to_string(),
            NOTES,
            "F1 of each class, pooled",
            classes.to_string(float_format="%.4f"),
            "",
        ]
    )
    write_text(text, table)
    print_result(text)
    logging.info("made %s", table)


def _figures(score: dict) -> dict[str, str]:
    std, detected, (low, high) = score["macro_f1_std"], score["macro_f1_detected"], score["macro_f1_interval_95"]
    return {
        "folds": str(len(score["folds"])),
        "mean": f"{score['macro_f1_mean']:.4f}",
        "std": "-" if std is None else f"{std:.4f}",
        "pooled": f"{score['macro_f1']:.4f}",
        "95 % interval": f"{low:.3f} to {high:.3f}",
        "unsmoothed": f"{score['macro_f1_unsmoothed']:.4f}",
        "detected": "-" if detected is None else f"{detected:.4f}",
    }


if __name__ == "__main__":
    job = snakemake  # noqa: F821
    with log_to(job.log[0]):
        run(
            scores={protocol: Path(job.input[protocol]) for protocol in ("official", "paper", "nested")},
            table=Path(job.output.table),
        )
