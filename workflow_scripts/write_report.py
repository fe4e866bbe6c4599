"""Write the report of a run as one self-contained page, and the training curves as a figure."""

import logging
from dataclasses import dataclass, fields
from pathlib import Path

from frame_expressions.artifacts.batch_folders import files_of
from frame_expressions.artifacts.parquet import read_parquet
from frame_expressions.artifacts.text import read_json, write_text
from frame_expressions.corpora.tracks import Track, read_tracks
from frame_expressions.networks.device import start_torch
from frame_expressions.report.figures import write_png
from frame_expressions.report.page import Section, page_of
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
from frame_expressions.smoothing.evaluation import EvaluationSettings

TITLE = "Frame-level facial expressions: report"
INTRODUCTION = (
    "What one run of the workflow read, learnt and predicted. This page is a single file that needs no network."
)


@dataclass(frozen=True)
class Inputs:
    """The artifacts that the page shows.

    timelines, subjects, audio: folders of batches. sheets: contact sheets, named after their tracks. scores,
    track_scores: of the reported protocol; logits, best: its folds' logits and smoothing. protocols: the scores of
    every protocol, nested first, each in the folder of its name; empty without a cross-validation. search, submitted:
    the search of the submission's smoothing and its choice. stage1_history, stage1_metrics, faulty_images (the table
    of images that Stage I left out): None, and fusion_histories: empty, if imported weights replace the training.
    ablation: None if there is none.
    """

    tracks: Path
    timelines: list[Path]
    subjects: list[Path]
    audio: list[Path]
    doubt: Path
    sheets: list[Path]
    check: Path
    scores: Path
    protocols: list[Path]
    track_scores: Path
    logits: list[Path]
    best: list[Path]
    search: Path
    submitted: Path
    stage1_history: Path | None
    stage1_metrics: Path | None
    faulty_images: Path | None
    fusion_histories: list[Path]
    ablation: Path | None


def run(
    *,
    inputs: Inputs,
    protocol: str,
    method: str,
    group_of: dict[str, str],
    benchmarks: Path,
    config: dict,
    page: Path,
    curves: Path,
) -> None:
    """Write `page` and `curves`.

    method: name of the ablation's first row. benchmarks: folder of run times. config: the whole configuration, which
    the page shows; its blocks stage1, encoders.visual and evaluation also determine how the sections are made.
    """
    corpus = read_tracks(inputs.tracks)
    logging.info("report on %d tracks, protocol %s, %d folds", len(corpus), protocol, len(inputs.logits))
    start_torch("cpu", 1)
    stage1 = read_parquet(inputs.stage1_history).to_pandas() if inputs.stage1_history else None
    fusion = {path.parent.name: read_parquet(path).to_pandas() for path in inputs.fusion_histories}
    trained = trainings(stage1, fusion)
    learning = [
        _padaug_section(config, inputs.faulty_images, is_trained=stage1 is not None),
        curves_section(trained, stage1 is not None, bool(fusion)),
        smoothing_section(inputs.search, inputs.submitted, is_mean=len(inputs.logits) > 1),
        ablation_section(inputs.ablation, method),
    ]
    sections = [
        *_corpus_and_outcome(inputs, corpus, protocol),
        *learning,
        *_evaluation(inputs, corpus, group_of, EvaluationSettings(**config["evaluation"])),
        settings_section(config),
        run_times_section(benchmarks),
    ]
    text = page_of(TITLE, INTRODUCTION, sections)
    write_png(training_figure(trained), curves)
    write_text(text, page)
    logging.info("made %s: %.1f MB", page, len(text) / 1e6)


def _corpus_and_outcome(inputs: Inputs, corpus: list[Track], protocol: str) -> list[Section]:
    videos = list(dict.fromkeys(track.video for track in corpus))
    outcome = outcome_section(
        protocol=protocol,
        scores=read_json(inputs.scores),
        submitted=inputs.submitted,
        check=read_json(inputs.check),
        num_folds=len(inputs.logits),
        stage1_metrics=inputs.stage1_metrics,
        compared={path.parent.name: read_json(path) for path in inputs.protocols},
    )
    timelines, audio = (
        dict(zip(videos, files_of(folders, videos), strict=True)) for folders in (inputs.timelines, inputs.audio)
    )
    return [
        outcome,
        corpus_section(corpus, timelines, _subjects(inputs, corpus), audio),
        doubt_section(inputs.doubt, {path.stem: path for path in inputs.sheets}),
    ]


def _padaug_section(config: dict, faulty_images: Path | None, is_trained: bool) -> Section:
    stage1, visual = config["stage1"], config["encoders"]["visual"]
    return padaug_section(
        stage1["image_sets"] if is_trained else [],
        stage1["holdout"],
        stage1["padaug"],
        visual["resize_px"],
        visual["image_px"],
        config["evaluation"]["seed"],
        faulty_images,
    )


def _evaluation(
    inputs: Inputs, corpus: list[Track], group_of: dict[str, str], settings: EvaluationSettings
) -> list[Section]:
    tracks = read_parquet(inputs.track_scores).to_pandas()
    heldout = read_heldout(inputs.logits, inputs.best, settings.label_shift_frames)
    return [
        scores_section(read_json(inputs.scores), tracks, heldout, group_of, settings.num_resamples, settings.seed),
        timelines_section(tracks, heldout, _subjects(inputs, corpus)),
    ]


def _subjects(inputs: Inputs, corpus: list[Track]) -> dict[str, Path]:
    """The subject file of each track."""
    names = [track.track for track in corpus]
    return dict(zip(names, files_of(inputs.subjects, names), strict=True))


if __name__ == "__main__":
    job = snakemake  # noqa: F821

    def paths_of(name: str) -> list[Path]:
        """The input of that name as a list, whether it is one file or several."""
        given = job.input.get(name)
        return [Path(path) for path in ([given] if isinstance(given, str) else given)]

    lists = ("timelines", "subjects", "audio", "sheets", "protocols", "logits", "best", "fusion_histories")
    with log_to(job.log[0]):
        run(
            inputs=Inputs(
                **{
                    field.name: paths_of(field.name) if field.name in lists else next(iter(paths_of(field.name)), None)
                    for field in fields(Inputs)
                }
            ),
            protocol=job.params.protocol,
            method=job.params.method,
            group_of=job.params.group_of,
            benchmarks=Path(job.params.benchmarks),
            config=job.params.config,
            page=Path(job.output.page),
            curves=Path(job.output.curves),
        )
