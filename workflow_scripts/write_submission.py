"""Smooth the test logits, map them to the template's rows, write the challenge's file and check it."""

import logging
from pathlib import Path

import numpy as np

from frame_expressions.artifacts.batch_folders import files_of
from frame_expressions.artifacts.logits import mean_logits, read_imputed
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
    *,
    logits: list[Path],
    best: Path,
    template: Path | None,
    timelines: list[Path],
    tracks: list[str],
    predictions: Path,
    check: Path,
) -> None:
    """Write `predictions` and `check` from the test logits of one fold, or of several, which are averaged.

    best: the smoothing that the search wrote. template: the organisers' rows; None gives every decoded frame of every
    track a row. timelines: those of the videos of `tracks`, in the same order. A timeline without rows belongs to a
    skipped video, whose track gets the most frequent class of the others (Neutral if there are none).
    Raises InputError if logits, timelines and template do not belong together.
    """
    smoothing = Smoothing.read(best)
    logging.info("predicting %d tracks from %d folds, %s", len(tracks), len(logits), smoothing)
    logits_of, imputed = mean_logits(logits), read_imputed(logits[0])  # the same frames in every fold
    timeline_of = dict(zip(tracks, timelines, strict=True))
    time_s = {track: read_times(timeline) for track, timeline in timeline_of.items()}
    num_frames = {track: len(times) for track, times in time_s.items()}
    for track, timeline in timeline_of.items():
        if num_frames[track] and len(logits_of.get(track, ())) != num_frames[track]:
            raise InputError(
                f"{timeline} has {num_frames[track]} frames, but {logits[0]} has {len(logits_of.get(track, ()))} for "
                f"{track}",
                "delete both and run the workflow again",
            )
    skipped = {track: _reason(timeline) for track, timeline in timeline_of.items() if num_frames[track] == 0}

    rows = read_template(template) if template else _rows_of_every_frame(num_frames)
    if not rows:
        raise InputError("No test track has a frame to predict", "check the test videos and execution.on_bad_video")
    frames_of = _frames_by_track(rows)
    _check_tracks(template, frames_of, num_frames, skipped)
    classes_of = {
        track: smoothing.classes(logits_of[track], time_s[track], imputed[track])
        for track in frames_of
        if track not in skipped
    }
    classes, differences = _classes_of_rows(len(rows), frames_of, classes_of, time_s)

    write_predictions(predictions, rows, classes)
    found = check_predictions(predictions, template or [image_location(*row) for row in rows])
    found |= {"row_differences": differences, "skipped": skipped, "predictions_sha256": sha256_of(predictions)}
    write_json(found, check)
    counts = ", ".join(f"{name} {found['class_counts'][name]}" for name in EXPRESSIONS)
    logging.info(
        "made %s: %d rows, %d tracks, %d of them skipped: %s",
        predictions,
        found["rows"],
        found["tracks"],
        len(skipped),
        counts,
    )


def _check_tracks(
    template: Path | None, frames_of: dict[str, tuple], num_frames: dict[str, int], skipped: dict[str, str]
) -> None:
    """Raise InputError for a track of the template that the corpus lacks; log a warning for the reverse."""
    unknown = [track for track in frames_of if track not in num_frames]
    if unknown:
        raise InputError(
            f"The template {template} asks for {unknown[0]}, which is not a test track of the corpus",
            "add its video as a test track",
        )
    for track in num_frames.keys() - frames_of.keys() - skipped.keys():
        logging.warning("%s is a test track, but the template has no row for it", track)


def _classes_of_rows(
    num_rows: int,
    frames_of: dict[str, tuple[np.ndarray, np.ndarray]],
    classes_of: dict[str, np.ndarray],
    time_s: dict[str, np.ndarray],
) -> tuple[np.ndarray, dict[str, int]]:
    """Class [num_rows] int8 of every row, and rows minus frames for each track where these numbers differ.

    classes_of: class of every frame of each track that was not skipped. Rows of other tracks get the most frequent one.
    """
    classes, filled = np.empty(num_rows, dtype=np.int8), np.zeros(num_rows, dtype=bool)
    differences = {}
    for track, predicted in classes_of.items():
        positions, frames = frames_of[track]
        last = int(frames.max())
        if last != len(predicted):
            differences[track] = last - len(predicted)
        classes[positions] = rows_from_frames(predicted, time_s[track], last, track)[frames - 1]
        filled[positions] = True
    classes[~filled] = np.bincount(classes[filled], minlength=NUM_CLASSES).argmax()
    return classes, differences


def _reason(timeline: Path) -> str:
    """Why the video of a timeline without rows was skipped."""
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
