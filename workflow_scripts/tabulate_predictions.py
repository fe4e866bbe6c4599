"""Put what is predicted for one video into tables, and on one picture over time."""

import logging
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from matplotlib.figure import Figure

from frame_expressions.artifacts.batch_folders import files_of
from frame_expressions.artifacts.logits import mean_logits
from frame_expressions.artifacts.parquet import write_parquet
from frame_expressions.artifacts.provenance import provenance_of
from frame_expressions.artifacts.text import write_text
from frame_expressions.artifacts.vocabulary import EXPRESSIONS
from frame_expressions.faces.subject import ABSENT
from frame_expressions.media.timeline import read_times
from frame_expressions.prediction.frame_table import PROBABILITIES, Prediction, predictions_table
from frame_expressions.report.figures import write_png
from frame_expressions.report.palette import COLOURS
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

    tracks: the video's, of the first person, the second, ...; subjects: their files. logits: of one model or several,
    which are averaged.
    """
    logging.info("%s: %d tracks, %s", video, len(tracks), smoothing)
    time_s, logits_of = read_times(timeline), mean_logits(logits, tracks)
    for track in tracks:
        if len(logits_of.get(track, ())) != len(time_s):
            raise InputError(
                f"{logits[0]} and {timeline} hold different frames of {track}", "delete both and run again"
            )
    predictions = [
        Prediction(person, logits_of.get(track, np.zeros((0, len(EXPRESSIONS)))), subject)
        for person, (track, subject) in enumerate(zip(tracks, subjects, strict=True), start=1)
    ]
    frames = predictions_table(predictions, time_s, smoothing)
    provenance = provenance_of({"video": video, "smoothing": vars(smoothing)}, [*logits, *subjects, timeline])
    write_parquet(pa.Table.from_pandas(frames, preserve_index=False), table, provenance)
    # To the microsecond, since six digits of a late time are its neighbours' too.
    text = frames.assign(time_s=frames["time_s"].round(6).map("{:.12g}".format))
    write_text(text.to_csv(index=False, float_format="%.6g", lineterminator="\n"), csv)
    _draw(video, frames, plot)
    persons = frames["person"].nunique()
    logging.info("made %s: %d frames, %d persons, %s", table, len(time_s), persons, _most_frequent(frames))


def _most_frequent(frames: pd.DataFrame) -> str:
    shares = frames["expression"].value_counts(normalize=True)
    return ", ".join(f"{name} {share:.0%}" for name, share in shares.items()) or "no frames"


def _draw(video: str, frames: pd.DataFrame, plot: Path) -> None:
    """Probabilities over time, stacked, for each person; below them the smoothed expression, grey without a face."""
    persons = list(frames.groupby("person"))
    heights = [4, 1] * max(len(persons), 1)
    figure = Figure(figsize=(11, 1 + 2.4 * max(len(persons), 1)), layout="constrained")
    rows = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    for (person, of_person), stacked, strip in zip(persons, rows[::2], rows[1::2], strict=False):
        time_s = of_person["time_s"].to_numpy()
        stacked.stackplot(time_s, of_person[list(PROBABILITIES)].T.to_numpy(), colors=COLOURS, labels=EXPRESSIONS)
        stacked.set(ylim=(0, 1), ylabel=f"person {person}")
        ends_s = np.append(time_s, time_s[-1] + (np.median(np.diff(time_s)) if len(time_s) > 1 else 0.04))
        classes = np.array([EXPRESSIONS.index(name) for name in of_person["expression"]])
        for start, end in _stretches(classes):
            strip.axvspan(ends_s[start], ends_s[end], color=COLOURS[classes[start]], linewidth=0)
        for start, end in _stretches((of_person["face"] == ABSENT).to_numpy(), only=True):
            strip.axvspan(ends_s[start], ends_s[end], ymax=0.3, color="0.5", linewidth=0)
        strip.set(yticks=[], ylabel="smoothed", xlim=(0, ends_s[-1]))
        strip.yaxis.label.set(rotation=0, ha="right", va="center", size=8)
    rows[-1].set_xlabel("time (s); grey at the bottom: no face, predicted from the sound")
    rows[0].set_title(video)
    if persons:
        figure.legend(*rows[0].get_legend_handles_labels(), loc="outside right upper", frameon=False, reverse=True)
    write_png(figure, plot)


def _stretches(values: np.ndarray, only: bool | None = None) -> list[tuple[int, int]]:
    """Half-open ranges of equal neighbours; with `only` those of that value."""
    cuts = [0, *(np.flatnonzero(np.diff(values)) + 1).tolist(), len(values)]
    ranges = [(start, end) for start, end in pairwise(cuts) if end > start]
    return [pair for pair in ranges if only is None or values[pair[0]] == only]


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
