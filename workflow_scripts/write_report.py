"""Put what a run made and found onto one page that needs nothing else, and the training curves into a picture."""

import logging
from pathlib import Path

from frame_expressions.artifacts.batch_folders import files_of
from frame_expressions.artifacts.parquet import read_parquet
from frame_expressions.artifacts.text import read_json, write_text
from frame_expressions.corpora.tracks import read_tracks
from frame_expressions.networks.device import start_torch
from frame_expressions.report.figures import write_png
from frame_expressions.report.page import page_of
from frame_expressions.report.sections.data import corpus_section, doubt_section
from frame_expressions.report.sections.evaluation import read_heldout, scores_section, timelines_section
from frame_expressions.report.sections.learning import (
    ablation_section,
    curves_section,
    padaug_section,
    smoothing_section,
    training_figure,
    trainings,
)
from frame_expressions.report.sections.machine import run_times_section, settings_section
from frame_expressions.report.sections.outcome import outcome_section
from frame_expressions.runtime.job import log_to

TITLE = "Frame-level facial expressions: report"
INTRODUCTION = (
    "What one run of the workflow read, learnt and predicted. This page is one file: it needs no network and can be "
    "passed on as it is."
)


def run(
    *,
    tracks: Path,
    timelines: list[Path],
    subjects: list[Path],
    audio: list[Path],
    doubt: Path,
    sheets: list[Path],
    check: Path,
    protocol: str,
    scores: Path,
    track_scores: Path,
    logits: list[Path],
    best: list[Path],
    search: Path,
    submitted: Path,
    stage1_history: Path | None,
    stage1_metrics: Path | None,
    fusion_histories: list[Path],
    ablation: Path | None,
    method: str,
    image_sets: list[dict],
    holdout: dict,
    padaug: dict,
    stored_px: int,
    image_px: int,
    group_of: dict[str, str],
    num_resamples: int,
    seed: int,
    benchmarks: Path,
    config: dict,
    page: Path,
    curves: Path,
) -> None:
    """Write `page` and `curves`.

    timelines, subjects, audio: folders of batches. sheets: contact sheets, named after their tracks. scores,
    track_scores: of `protocol`; logits, best: its folds' logits and smoothing. search, submitted: the search of the
    submission's smoothing and its choice. stage1_history, stage1_metrics: None, and image_sets, fusion_histories:
    empty, where imported weights take the training's place. ablation: None where there is none; method: its first
    row's name. seed: of the bootstrap and of PadAug's images. benchmarks: folder of run times. config: to be shown.
    """
    corpus = read_tracks(tracks)
    logging.info("report on %d tracks, protocol %s, %d folds", len(corpus), protocol, len(logits))
    start_torch("cpu", 1)
    videos, names = list(dict.fromkeys(track.video for track in corpus)), [track.track for track in corpus]
    subject_of = dict(zip(names, files_of(subjects, names), strict=True))
    found, tracks_found = read_json(scores), read_parquet(track_scores).to_pandas()
    heldout = read_heldout(logits, best)
    stage1 = read_parquet(stage1_history).to_pandas() if stage1_history else None
    fusion = {path.parent.name: read_parquet(path).to_pandas() for path in fusion_histories}
    trained = trainings(stage1, fusion)
    sections = [
        outcome_section(
            protocol=protocol,
            scores=found,
            submitted=submitted,
            check=read_json(check),
            num_folds=len(logits),
            stage1_metrics=stage1_metrics,
        ),
        corpus_section(
            corpus,
            dict(zip(videos, files_of(timelines, videos), strict=True)),
            subject_of,
            dict(zip(videos, files_of(audio, videos), strict=True)),
        ),
        doubt_section(doubt, {path.stem: path for path in sheets}),
        padaug_section(image_sets, holdout, padaug, stored_px, image_px, seed),
        curves_section(trained, stage1 is not None, bool(fusion)),
        smoothing_section(search, submitted, is_mean=len(logits) > 1),
        ablation_section(ablation, method),
        scores_section(found, tracks_found, heldout, group_of, num_resamples, seed),
        timelines_section(tracks_found, heldout, subject_of),
        settings_section(config),
        run_times_section(benchmarks),
    ]
    text = page_of(TITLE, INTRODUCTION, sections)
    write_png(training_figure(trained), curves)
    write_text(text, page)
    logging.info("made %s: %.1f MB", page, len(text) / 1e6)


if __name__ == "__main__":
    job = snakemake  # noqa: F821

    def files(name: str) -> list[Path]:
        """The input of that name as a list, however many files it is."""
        given = job.input.get(name)
        return [Path(path) for path in ([given] if isinstance(given, str) else given)]

    def file(name: str) -> Path | None:
        """The input of that name, None where it is empty."""
        return next(iter(files(name)), None)

    with log_to(job.log[0]):
        run(
            **{name: files(name) for name in ("timelines", "subjects", "audio", "sheets", "logits", "best")},
            **{name: file(name) for name in ("stage1_history", "stage1_metrics", "ablation")},
            fusion_histories=files("fusion_histories"),
            tracks=Path(job.input.tracks),
            doubt=Path(job.input.doubt),
            check=Path(job.input.check),
            scores=Path(job.input.scores),
            track_scores=Path(job.input.track_scores),
            search=Path(job.input.search),
            submitted=Path(job.input.submitted),
            protocol=job.params.protocol,
            method=job.params.method,
            image_sets=job.params.image_sets,
            holdout=job.params.holdout,
            padaug=job.params.padaug,
            stored_px=job.params.stored_px,
            image_px=job.params.image_px,
            group_of=job.params.group_of,
            num_resamples=job.params.num_resamples,
            seed=job.params.seed,
            benchmarks=Path(job.params.benchmarks),
            config=job.params.config,
            page=Path(job.output.page),
            curves=Path(job.output.curves),
        )
