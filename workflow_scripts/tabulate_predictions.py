"""Write the predictions of one video as tables, and plot them over time."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from frame_expressions.artifacts.batch_folders import files_of
from frame_expressions.artifacts.logits import mean_logits, read_presence
from frame_expressions.artifacts.parquet import read_parquet, read_provenance, write_parquet
from frame_expressions.artifacts.provenance import provenance_of
from frame_expressions.artifacts.schemas import PREDICTIONS
from frame_expressions.artifacts.text import write_text
from frame_expressions.artifacts.vocabulary import NUM_CLASSES
from frame_expressions.media.timeline import duration_s, read_last_s, read_start, read_times
from frame_expressions.prediction.frame_plot import plot_frames
from frame_expressions.prediction.frame_table import PersonPrediction, predictions_table
from frame_expressions.report.figures import write_png
from frame_expressions.runtime.errors import InputError
from frame_expressions.runtime.job import log_to
from frame_expressions.smoothing.smoothing import Smoothing


def run(
    *,
    video: str,
    tracks: list[str],
    logits: list[Path],
    subjects: list[Path],
    timeline: Path,
    smoothing: Smoothing,
    table: Path,
    csv: Path,
    plot: Path,
) -> None:
    """Write `table` (Parquet) and `csv` with the same rows, and `plot`.

    tracks: the video's tracks, of the first person, the second, and so on; subjects: their subject files. logits: the
    files of one or several fusion models, whose logits are averaged. Raises InputError where the logits of a track
    and the timeline have different numbers of frames.
    """
    logging.info("%s: %d tracks, %s", video, len(tracks), smoothing)
    time_s, logits_of = read_times(timeline), mean_logits(logits, tracks)
    for track in tracks:
        if len(logits_of.get(track, ())) != len(time_s):
            raise InputError(
                f"{logits[0]} and {timeline} hold different frames of {track}",
                "delete both and run the workflow again",
            )
    nothing = np.zeros((0, NUM_CLASSES)), (np.zeros(0, bool), np.zeros(0, bool))  # of a skipped video
    # The same for every model.
    presence_of, filling = read_presence(logits[0], tracks), read_provenance(logits[0])["settings"]["filling"]
    predictions = [
        PersonPrediction.of_subject(
            person, logits_of.get(track, nothing[0]), presence_of.get(track, nothing[1]), filling, read_parquet(subject)
        )
        for person, (track, subject) in enumerate(zip(tracks, subjects, strict=True), start=1)
    ]
    frames = predictions_table(predictions, time_s, smoothing)
    clock, _ = read_start(timeline)
    of_timeline = {
        "discontinuities": clock.num_discontinuities,
        "skipped": read_provenance(timeline)["settings"].get("skipped", ""),
    }
    num_persons = read_provenance(subjects[0])["settings"]["num_persons"]
    settings = {
        "video": video,
        "smoothing": vars(smoothing),
        "not_followed": max(0, num_persons - len(tracks)),
        **of_timeline,
    }
    provenance = provenance_of(settings, [*logits, *subjects, timeline])
    write_parquet(pa.Table.from_pandas(frames, PREDICTIONS, preserve_index=False), table, provenance)
    # Times to the microsecond: with six digits, neighbouring late frames would have the same time.
    text = frames.assign(time_s=frames["time_s"].round(6).map("{:.12g}".format))
    write_text(text.to_csv(index=False, float_format="%.6g", lineterminator="\n"), csv)
    length_s = duration_s(time_s, read_last_s(timeline))
    write_png(plot_frames(video, frames, length_s, of_timeline["skipped"]), plot)
    persons = frames["person"].nunique()
    logging.info("made %s: %d frames, %d persons, %s", table, len(time_s), persons, _most_frequent(frames))


def _most_frequent(frames: pd.DataFrame) -> str:
    shares = frames["expression"].value_counts(normalize=True)
    return ", ".join(f"{name} {share:.0%}" for name, share in shares.items()) or "no frames"


if __name__ == "__main__":
    job = snakemake  # noqa: F821
    with log_to(job.log[0]):
        video = job.wildcards.video
        run(
            video=video,
            tracks=job.params.tracks,
            logits=[Path(path) for path in job.input.logits],
            subjects=files_of([job.input.subjects], job.params.tracks),
            timeline=Path(job.input.timelines) / f"{video}.parquet",
            smoothing=Smoothing(**job.params.smoothing),
            table=Path(job.output.table),
            csv=Path(job.output.csv),
            plot=Path(job.output.plot),
        )
