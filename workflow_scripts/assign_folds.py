"""Divide the labelled tracks into the parts of a cross-validation, with the classes balanced."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd

from frame_expressions.artifacts.text import write_text
from frame_expressions.artifacts.vocabulary import EXPRESSIONS, NUM_CLASSES
from frame_expressions.challenge.annotations import read_annotation
from frame_expressions.corpora.fold_table import read_fold_table
from frame_expressions.corpora.folds import PUBLISHED, divide
from frame_expressions.corpora.labels import frame_labels
from frame_expressions.corpora.published_folds import divide_as_published
from frame_expressions.media.timeline import read_times
from frame_expressions.runtime.job import log_to


def run(
    *,
    tracks: list[dict],
    timelines: dict[str, Path],
    division: str,
    given: Path | None,
    num_folds: int,
    folds: Path,
) -> None:
    """Write a row per labelled track: track, group, part (0 to num_folds - 1), labelled frames of each class.

    tracks: rows with track, video, split, annotation, label and group. timelines: by video, needed for the number of
    frames of a clip with one label. division: `grouped` keeps whole videos together, `published` is the authors' rule.
    given: the user's table of folds, which replaces both.
    """
    counts = np.array([_class_counts(row, timelines) for row in tracks], np.int64).reshape(len(tracks), NUM_CLASSES)
    names = [row["track"] for row in tracks]
    if given:
        part = np.array(list(read_fold_table(given, names, num_folds).values()))
    elif division == PUBLISHED:
        part = divide_as_published(counts, names, [row["split"] for row in tracks], num_folds)
    else:
        part = divide(counts, [row["group"] for row in tracks], num_folds)
    table = pd.DataFrame(
        {"track": names, "group": [row["group"] for row in tracks], "part": part}
        | dict(zip(EXPRESSIONS, counts.T, strict=True))
    )
    sums = table.groupby("part")[list(EXPRESSIONS)].sum()
    logging.info("labelled frames of each part:\n%s", sums.to_string())
    _warn_of_divided_groups(table)
    write_text(table.to_csv(sep="\t", index=False, lineterminator="\n"), folds)
    logging.info("made %s: %d tracks in %d parts", folds, len(table), num_folds)


def _warn_of_divided_groups(table: pd.DataFrame) -> None:
    """Log the videos whose persons are in several parts: a model is then scored on a video that it was trained on."""
    num_parts = table.groupby("group")["part"].nunique()
    divided = num_parts.index[num_parts > 1]
    if len(divided):
        logging.warning(
            "%d videos have persons in different folds, so models are scored on videos that they were trained on: %s",
            len(divided),
            ", ".join(divided),
        )


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
            division=job.params.division,
            given=Path(job.input.given[0]) if job.input.given else None,
            num_folds=job.params.num_folds,
            folds=Path(job.output.folds),
        )
