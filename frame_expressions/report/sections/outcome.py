"""The first section: the outcome in a few numbers."""

from pathlib import Path

from frame_expressions.artifacts.text import read_json
from frame_expressions.report.page import Block, Command, Numbers, Section, Table, Text
from frame_expressions.smoothing.smoothing import Smoothing

_CHOSEN_ON = {
    "official": "Epoch and smoothing were chosen on the same validation videos, as published, so the score is slightly "
    "optimistic.",
    "paper": "The epoch of each fold was chosen on the same videos that it is scored on, and one smoothing was fixed "
    "beforehand for all folds, as published, so the score is slightly optimistic.",
    "nested": "Epoch and smoothing of each fold were chosen on other videos than those it is scored on.",
    "imported": "The fusion model was imported; its smoothing was chosen on the same validation videos.",
}

_COMPARED = {
    "nested": "chosen on other videos than those scored",
    "paper": "epoch chosen on the scored videos, one fixed smoothing, as published",
    "tuned": "epoch and smoothing tuned on the reported fold",
    "official": "epoch and smoothing tuned on the validation videos",
}

_WORTH = (
    "Validation scores overstate what new videos give; those of nested cross-validation do so least. For scale, in the "
    "published work, not in this run, the method reached macro-F1 0.537 on Aff-Wild2's validation set, 0.512 in "
    "cross-validation and 0.391 on the official test set."
)


def outcome_section(
    *,
    protocol: str,
    scores: dict,
    submitted: Path,
    check: dict,
    num_folds: int,
    stage1_metrics: Path | None,
    compared: dict[str, dict],
) -> Section:
    """The first section of the page.

    submitted: best.json, the smoothing of the submission. compared: the scores of each protocol, nested first; empty if
    they were not compared.
    """
    low, high = scores["macro_f1_interval_95"]
    smoothing = Smoothing.read(submitted)
    figures = [
        (
            "Macro-F1, smoothed",
            f"{scores['macro_f1']:.3f}",
            f"95% interval {low:.3f} to {high:.3f} (bootstrap over {scores['num_videos']} videos)",
        ),
        (
            "Macro-F1, complete frames",
            "-" if scores["macro_f1_complete"] is None else f"{scores['macro_f1_complete']:.3f}",
            f"{scores['num_labelled_complete']:,} labelled frames with both face and audio, which the paper scores",
        ),
        ("Macro-F1, unsmoothed", f"{scores['macro_f1_unsmoothed']:.3f}", f"{scores['num_labelled']:,} labelled frames"),
        ("Smoothing", smoothing.kind, _window(smoothing)),
        ("Submission", f"{check['rows']:,}", f"rows of {check['tracks']} tracks{_skipped(check)}"),
    ]
    if "nested" in compared and protocol != "nested":
        nested = compared["nested"]
        note = f"mean of {len(nested['folds'])} folds; the fairest estimate"
        figures.insert(0, ("Macro-F1, nested cross-validation", f"{nested['macro_f1_mean']:.3f}", note))
    blocks: list[Block] = [Numbers(figures), *_compared(compared), Text(_WORTH)]
    blocks.append(Text(f"Scored on the {_reported_on(protocol)}. {_CHOSEN_ON[protocol]}"))
    shift = scores["provenance"]["settings"]["label_shift_frames"]
    if shift:
        blocks.append(
            Text(
                f"evaluation.label_shift_frames is {shift}: all scores are of labels moved by {shift} frame, as in the "
                "authors' scripts."
            )
        )
    if num_folds > 1:
        blocks.append(Text(f"The submission is the mean of {num_folds} fold models' logits."))
    if stage1_metrics:
        stage1 = read_json(stage1_metrics)
        note = f"on {stage1['num_val_images']:,} validation images, epoch {stage1['best_epoch']}{_left_out(stage1)}"
        figures.append(("Stage I's macro-F1", f"{stage1['val_macro_f1']:.3f}", note))
    else:
        blocks.append(Text("Stage I was not trained: its weights were imported, so its score is unknown."))
    return Section("outcome", "Results", blocks)


def _compared(compared: dict[str, dict]) -> list[Block]:
    """The scores of all protocols, or how to make them."""
    if not compared:
        commands = "snakemake --cores 8 cross_validation\nsnakemake --cores 8 report"
        return [
            Text("The protocols of cross-validation have not been compared. These commands add them to this page:"),
            Command(commands),
        ]
    names = [f"macro_f1{part}{figure}" for part in ("", "_complete") for figure in ("_mean", "_std", "_std_ddof0", "")]
    rows = [
        [protocol, _COMPARED[protocol], *("-" if scores[name] is None else f"{scores[name]:.4f}" for name in names)]
        for protocol, scores in compared.items()
    ]
    figures = ["mean", "std", "std (ddof 0)", "pooled"]
    headers = ["protocol", "epoch and smoothing", *figures, *(f"complete frames: {figure}" for figure in figures)]
    return [Table("Macro-F1 of each protocol of evaluation, over the folds and of all frames pooled", headers, rows)]


def window_unit(smoothing_fps: float | None) -> str:
    """The unit of window lengths."""
    return "frames" if smoothing_fps is None else f"frames at {smoothing_fps:g} a second"


def _window(smoothing: Smoothing) -> str:
    if smoothing.kind == "none":
        return "unsmoothed was best"
    return f"over {smoothing.window_frames} {window_unit(smoothing.windows_at_fps)}"


def _reported_on(protocol: str) -> str:
    if protocol in ("official", "imported"):
        return "corpus's own validation tracks"
    return f"held-out tracks of all folds together (protocol {protocol})"


def _left_out(stage1: dict) -> str:
    count = sum(stage1["num_left_out"].values())
    return f"; {count:,} faulty images were left out" if count else ""


def _skipped(check: dict) -> str:
    return f", {len(check['skipped'])} of them skipped" if check["skipped"] else ""
