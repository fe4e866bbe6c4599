"""Print the scores of every cross-validation protocol and of the official split side by side."""

import logging
from pathlib import Path

import pandas as pd

from frame_expressions.artifacts.text import read_json, write_text
from frame_expressions.artifacts.vocabulary import EXPRESSIONS
from frame_expressions.runtime.job import log_to, print_result
from frame_expressions.smoothing.track_smoother import KINDS

NOTES = """
nested: epoch and smoothing of a fold chosen on videos that it is not scored on, which is the fairest estimate; paper:
as published, epoch chosen on the reported fold, unsmoothed, and one fixed smoothing for all folds ({kind} over {window}
frames); tuned: epoch and smoothing tuned on the reported fold, with the models of paper; official: the corpus's own
split, epoch and smoothing tuned on its validation videos. nested trains on {nested} of {num_folds} parts
({nested_share:.0%}), paper and tuned on {paper} ({paper_share:.0%}).
mean, std: over the folds (std of a sample; ddof 0: as the authors compute it); pooled: the frames of all folds
together, with a 95 % bootstrap interval over videos; detected: without frames whose face was interpolated or absent.
"""
COMPLETE_NOTES = "Complete frames: labelled frames with both face and audio, the ones that the paper scores"
SHIFT_NOTES = (
    "evaluation.label_shift_frames is {shift}: all scores are of labels moved by {shift} frame, as in the authors' "
    "scripts.\n"
)


def run(*, scores: dict[str, Path], table: Path) -> None:
    """Write a text table and print it. scores: the files that evaluate wrote, by protocol, in the order of the rows."""
    found = {protocol: read_json(path) for protocol, path in scores.items()}
    summary = pd.DataFrame({protocol: _figures(score) for protocol, score in found.items()}).T
    complete = pd.DataFrame({protocol: _complete_figures(score) for protocol, score in found.items()}).T
    classes = pd.DataFrame({protocol: score["f1"] for protocol, score in found.items()}).T[list(EXPRESSIONS)]
    text = "\n".join(
        [
            "Macro-F1 over the eight classes",
            summary.to_string(),
            _notes(found),
            COMPLETE_NOTES,
            complete.to_string(),
            "",
            *_by_kind(found["paper"]),
            "F1 of each class, pooled",
            classes.to_string(float_format="%.4f"),
            "",
        ]
    )
    write_text(text, table)
    print_result(text)
    logging.info("made %s", table)


def _notes(found: dict[str, dict]) -> str:
    num_folds, fixed = len(found["nested"]["folds"]), found["paper"]["folds"][0]
    nested, paper = num_folds - 2, num_folds - 1
    notes = NOTES.format(
        kind=fixed["kind"],
        window=fixed["window_frames"],
        num_folds=num_folds,
        nested=nested,
        nested_share=nested / num_folds,
        paper=paper,
        paper_share=paper / num_folds,
    )
    shift = found["nested"]["provenance"]["settings"]["label_shift_frames"]
    return notes + (SHIFT_NOTES.format(shift=shift) if shift else "")


def _figures(score: dict) -> dict[str, str]:
    low, high = score["macro_f1_interval_95"]
    return {
        "folds": str(len(score["folds"])),
        **_over_folds(score, "macro_f1"),
        "95 % interval": f"{low:.3f} to {high:.3f}",
        "unsmoothed": f"{score['macro_f1_unsmoothed']:.4f}",
        "detected": _number(score["macro_f1_detected"]),
    }


def _complete_figures(score: dict) -> dict[str, str]:
    return {"frames": str(score["num_labelled_complete"]), **_over_folds(score, "macro_f1_complete")}


def _over_folds(score: dict, name: str) -> dict[str, str]:
    return {
        "mean": _number(score[f"{name}_mean"]),
        "std": _number(score[f"{name}_std"]),
        "std (ddof 0)": _number(score[f"{name}_std_ddof0"]),
        "pooled": _number(score[name]),
    }


def _by_kind(paper: dict) -> list[str]:
    """The table of every kind of smoothing, for the folds that are scored as published."""
    if "by_kind" not in paper:
        return []
    rows = {
        kind: _over_folds(paper["by_kind"][kind], "macro_f1")
        | {f"complete: {name}": text for name, text in _over_folds(paper["by_kind"][kind], "macro_f1_complete").items()}
        for kind in KINDS
    }
    window = paper["folds"][0]["window_frames"]
    return [
        f"Every kind of smoothing over {window} frames, protocol paper",
        pd.DataFrame(rows).T.to_string(),
        "",
    ]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


if __name__ == "__main__":
    job = snakemake  # noqa: F821
    with log_to(job.log[0]):
        run(
            scores={Path(path).parent.name: Path(path) for path in job.input.scores},
            table=Path(job.output.table),
        )
