"""Divide the labelled tracks into the parts of a cross-validation: whole videos, with the classes balanced."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd

from frame_expressions.artifacts.text import write_text
from frame_expressions.artifacts.vocabulary import EXPRESSIONS, NUM_CLASSES
from frame_expressions.challenge.annotations import read_annotation
from frame_expressions.corpora.folds import divide
from frame_expressions.corpora.labels import frame_labels
from frame_expressions.media.timeline import read_times
from frame_expressions.runtime.job import log_to


def run(*, tracks: list[dict], timelines: dict[str, Path], num_folds: int, folds: Path) -> None:
    """Write a row per labelled track: track, group, part (0 to num_folds - 1), labelled frames of each class.

    tracks: rows with track, video, annotation, label and group. timelines: by video, needed for the number of
    frames of a clip with one label.
    """
    counts = np.array([_class_counts(row, timelines) for row in tracks], np.int64).reshape(len(tracks), NUM_CLASSES)
    part = divide(counts, [row["group"] for row in tracks], num_folds)
    table = pd.DataFrame(
        {"track": [row["track"] for row in tracks], "group": [row["group"] for row in tracks], "part": part}
        | dict(zip(EXPRESSIONS, counts.T, strict=True))
    )
    sums = table.groupby("part")[list(EXPRESSIONS)].sum()
    logging.info("labelled frames of each part:\n%s", sums.to_string())
    write_text(table.to_csv(sep="\t", index=False, lineterminator="\n"), folds)
    logging.info("made %s: %d tracks in %d parts", folds, len(table), num_folds)


def _class_counts(row: dict, timelines: dict[str, Path]) -> np.ndarray:
    """Labelled frames of each class [C] int64."""
    if row["annotation"]:
        labels = read_annotation(Path(row["annotation"]))
    else:
        labels = frame_labels(row, read_times(timelines[row["video"]]))
    return np.bincount(labels[labels >= 0], minlength=NUM_CLASSES)


if __name__ == "__main__":
    job = snakemake  # noqa: F821
    with log_to(job.log[0]):
        run(
            tracks=job.params.tracks,
            timelines={path.stem: path for folder in job.input.timelines for path in Path(folder).glob("*.parquet")},
            num_folds=job.params.num_folds,
            folds=Path(job.output.folds),
        )
