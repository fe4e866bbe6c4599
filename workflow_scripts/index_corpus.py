"""Check the corpus before any long job and write its table of tracks."""

import logging
from collections import Counter
from pathlib import Path

import numpy as np

from frame_expressions.artifacts.vocabulary import EXPRESSIONS, NUM_CLASSES, SPLITS
from frame_expressions.challenge.annotations import read_annotation
from frame_expressions.corpora.check_files import check_corpus
from frame_expressions.corpora.tracks import Track, check_tracks, write_tracks
from frame_expressions.runtime.errors import InputError
from frame_expressions.runtime.job import log_to


def run(*, tracks: list[dict[str, str]], template: Path | None, on_bad_video: str, output: Path) -> None:
    """Read every annotation and the template, check the size of every video, and write `corpus/tracks.tsv`.

    tracks: the fields of each Track. on_bad_video: `stop` refuses an empty video file; `skip` leaves it to
    extract_frames, which lists it. Raises InputError for the first fault.
    """
    corpus = [Track(**fields) for fields in tracks]
    logging.info("Indexing %d tracks, template %s", len(corpus), template)
    if not corpus:
        raise InputError("The corpus has no tracks", "check corpus.root or corpus.table in the configuration")
    check_tracks(corpus)
    for track in corpus:
        if not Path(track.path).is_file():
            raise InputError(f"The video {track.path} does not exist", "add it or remove its tracks from the corpus")
    check_corpus(corpus, template, on_bad_video)
    for split in SPLITS:
        _log_split(split, [track for track in corpus if track.split == split])
    write_tracks(corpus, output)
    logging.info("Wrote %d tracks of %d videos to %s", len(corpus), len({track.video for track in corpus}), output)


def _log_split(split: str, tracks: list[Track]) -> None:
    """Log tracks, rows, labelled rows and rows of each class; whole-clip labels are counted as clips."""
    rows, classes = 0, np.zeros(NUM_CLASSES, dtype=int)
    for track in tracks:
        if track.annotation:
            labels = read_annotation(Path(track.annotation))
            rows += labels.size
            classes += np.bincount(labels[labels >= 0], minlength=NUM_CLASSES)
    clips = Counter(track.label for track in tracks if track.label)
    logging.info(
        "%s: %d tracks, %d annotation rows, %d labelled: %s; clips with one label: %s",
        split,
        len(tracks),
        rows,
        classes.sum(),
        ", ".join(f"{name} {count}" for name, count in zip(EXPRESSIONS, classes, strict=True)),
        ", ".join(f"{name} {clips[name]}" for name in EXPRESSIONS if clips[name]) or "none",
    )
    absent = [name for name, count in zip(EXPRESSIONS, classes, strict=True) if not count and not clips[name]]
    if absent and split != "test":
        logging.warning("%s has no frame of %s", split, ", ".join(absent))


if __name__ == "__main__":
    job = snakemake  # noqa: F821
    with log_to(job.log[0]):
        template = job.input.template
        run(
            tracks=job.params.tracks,
            template=Path(template) if template else None,
            on_bad_video=job.params.on_bad_video,
            output=Path(job.output.tracks),
        )
