"""The first section: the outcome in a few numbers."""

from pathlib import Path

from frame_expressions.artifacts.text import read_json
from frame_expressions.report.page import Numbers, Section, Text
from frame_expressions.smoothing.smoothing import Smoothing

_CHOSEN_ON = {
    "official": "Epoch and smoothing were chosen on the same validation videos, as published, so the score is slightly "
    "optimistic.",
    "paper": "Epoch and smoothing of each fold were chosen on the same videos that it is scored on, as published, so "
    "the score is slightly optimistic.",
    "nested": "Epoch and smoothing of each fold were chosen on other videos than those it is scored on.",
    "imported": "The fusion model was imported (of several, the mean is scored); its smoothing was chosen on the same "
    "validation videos.",
}


def outcome_section(
    *, protocol: str, scores: dict, submitted: Path, check: dict, num_folds: int, stage1_metrics: Path | None
) -> Section:
    """The first section of the page. submitted: best.json, the smoothing of the submission."""
    low, high = scores["macro_f1_interval_95"]
    smoothing = Smoothing.read(submitted)
    figures = [
        (
            "Macro-F1, smoothed",
            f"{scores['macro_f1']:.3f}",
            f"95% interval {low:.3f} to {high:.3f} (bootstrap over {scores['num_videos']} videos)",
        ),
        ("Macro-F1, unsmoothed", f"{scores['macro_f1_unsmoothed']:.3f}", f"{scores['num_labelled']:,} labelled frames"),
        ("Smoothing", smoothing.kind, _window(smoothing)),
        ("Submission", f"{check['rows']:,}", f"rows of {check['tracks']} tracks{_skipped(check)}"),
    ]
    blocks = [Numbers(figures), Text(f"Scored on the {_reported_on(protocol)}. {_CHOSEN_ON[protocol]}")]
    if num_folds > 1:
        blocks.append(Text(f"The submission is the mean of {num_folds} fold models' logits."))
    if stage1_metrics:
        stage1 = read_json(stage1_metrics)
        note = f"on {stage1['num_val_images']:,} validation images, epoch {stage1['best_epoch']}"
        figures.append(("Stage I's macro-F1", f"{stage1['val_macro_f1']:.3f}", note))
    else:
        blocks.append(Text("Stage I was not trained: its weights were imported, so its score is unknown."))
    return Section("outcome", "Results", blocks)


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


def _skipped(check: dict) -> str:
    return f", {len(check['skipped'])} of them skipped" if check["skipped"] else ""
