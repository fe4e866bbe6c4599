"""Smooth the test logits, map them to the template's rows, write the challenge's file and check it."""

import logging
from pathlib import Path

import numpy as np

from frame_expressions.artifacts.batch_folders import files_of
from frame_expressions.artifacts.logits import mean_logits
from frame_expressions.artifacts.parquet import read_provenance
from frame_expressions.artifacts.provenance import sha256_of
from frame_expressions.artifacts.text import write_json
from frame_expressions.artifacts.vocabulary import EXPRESSIONS, NUM_CLASSES
from frame_expressions.challenge.alignment import rows_from_frames
from frame_expressions.challenge.submission import check_predictions, write_predictions
from frame_expressions.challenge.templates import image_location, read_template
from frame_expressions.corpora.tracks import read_tracks
from frame_expressions.media.timeline import read_times
from frame_expressions.runtime.errors import InputError
from frame_expressions.runtime.job import log_to
from frame_expressions.smoothing.smoothing import Smoothing


def run(
    logits: list[Path],
    best: Path,
    template: Path | None,
    timelines: list[Path],
    tracks: list[str],
    predictions: Path,
    check: Path,
) -> None:
    """Write `predictions` and `check` from the test logits of one fold, or of several, which are averaged.

    best: the smoothing, as the search wrote it. template: the organisers' rows; None gives every
    decoded frame of every track a row. timelines: of the videos of `tracks`, in the same order; one without rows
    is a skipped video, whose track gets the most frequent class of the others (Neutral where there are none).
    Raises InputError when logits, timelines and template do not belong together.
    """
    smoothing = Smoothing.read(best)
    logging.info("Predicting %d tracks from %d folds, %s", len(tracks), len(logits), smoothing)

    logits_of = mean_logits(logits)
    time_s = {track: read_times(timeline) for track, timeline in zip(tracks, timelines, strict=True)}
    num_frames = {track: len(times) for track, times in time_s.items()}
    skipped = {}
    for track, timeline in zip(tracks, timelines, strict=True):
        if num_frames[track] == 0:
            skipped[track] = _reason(timeline)
        elif len(logits_of.get(track, ())) != num_frames[track]:
            raise InputError(
                (
                    f"{timeline} has {num_frames[track]} frames, but {logits[0]} has "
                    f"{len(logits_of.get(track, ()))} for {track}"
                ),
                "delete both and run the workflow again",
            )

    rows = read_template(template) if template else _rows_of_every_frame(num_frames)
    if not rows:
        raise InputError("No test track has a frame to predict", "check the test videos and on_bad_video")
    frames_of = _frames_by_track(rows)
    unknown = [track for track in frames_of if track not in num_frames]
    if unknown:
        raise InputError(
            f"The template {template} asks for {unknown[0]}, which is not a test track of the corpus",
            "add its video as a test track",
        )
    for track in num_frames.keys() - frames_of.keys() - skipped.keys():
        logging.warning("%s is a test track, but the template has no row of it", track)

    classes = np.empty(len(rows), dtype=np.int8)
    filled = np.zeros(len(rows), dtype=bool)
    differences = {}
    for track, (positions, frames) in frames_of.items():
        if track in skipped:
            continue
        num_rows = int(frames.max())
        if num_rows != num_frames[track]:
            differences[track] = num_rows - num_frames[track]
        predicted = smoothing.classes(logits_of[track], time_s[track])
        classes[positions] = rows_from_frames(predicted, num_rows, track)[frames - 1]
        filled[positions] = True
    classes[~filled] = np.bincount(classes[filled], minlength=NUM_CLASSES).argmax()

    write_predictions(predictions, rows, classes)
    found = check_predictions(predictions, template or [image_location(*row) for row in rows])
    found["row_differences"] = differences
    found["skipped"] = skipped
    found["predictions_sha256"] = sha256_of(predictions)
    write_json(found, check)
    logging.info(
        "Wrote %d rows of %d tracks to %s, %d of them skipped: %s",
        found["rows"],
        found["tracks"],
        predictions,
        len(skipped),
        ", ".join(f"{name} {found['class_counts'][name]}" for name in EXPRESSIONS),
    )


def _reason(timeline: Path) -> str:
    settings = read_provenance(timeline)["settings"]
    if "skipped" not in settings:
        raise InputError(f"{timeline} has no frames and gives no reason", "delete it and run the workflow again")
    return settings["skipped"]


def _rows_of_every_frame(num_frames: dict[str, int]) -> list[tuple[str, int]]:
    return [(track, frame) for track, count in num_frames.items() for frame in range(1, count + 1)]


def _frames_by_track(rows: list[tuple[str, int]]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Positions of each track's rows in the file, and their 1-based frame numbers."""
    by_track: dict[str, tuple[list[int], list[int]]] = {}
    for position, (track, frame) in enumerate(rows):
        positions, frames = by_track.setdefault(track, ([], []))
        positions.append(position)
        frames.append(frame)
    return {track: (np.array(positions), np.array(frames)) for track, (positions, frames) in by_track.items()}


if __name__ == "__main__":
    job = snakemake  # noqa: F821
    with log_to(job.log[0]):
        template = job.input.template
        tracks = [track for track in read_tracks(Path(job.input.tracks)) if track.split == "test"]
        run(
            logits=[Path(path) for path in job.input.logits],
            best=Path(job.input.best),
            template=Path(template) if template else None,
            timelines=files_of(job.input.timelines, [track.video for track in tracks]),
            tracks=[track.track for track in tracks],
            predictions=Path(job.output.predictions),
            check=Path(job.output.check),
        )
