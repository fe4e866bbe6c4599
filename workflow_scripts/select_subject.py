"""Choose the person that a track is about, in every frame of its video."""

import logging
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa

from workflow_scripts.lib.artifacts import made_by, write_parquet
from workflow_scripts.lib.errors import InputError
from workflow_scripts.lib.faces.linking import link
from workflow_scripts.lib.faces.subject import CHOOSERS, Persons, fill
from workflow_scripts.lib.faces.table import SUBJECT_SCHEMA, read_faces
from workflow_scripts.lib.job import log_to
from workflow_scripts.lib.media.timeline import read_times


def run(
    *,
    faces: Path,
    timeline: Path,
    subject: Path,
    person: str,
    max_gap_s: float,
    takeover_s: float,
    min_iou: float,
    min_similarity: float,
    memory: float,
) -> None:
    """Write the subject's box and status for every frame of the timeline.

    person: a key of `CHOOSERS`. The other settings are those of `subject.Persons` and `linking.link`.
    """
    linking = {"max_gap_s": max_gap_s, "min_iou": min_iou, "min_similarity": min_similarity, "memory": memory}
    settings = {"person": person, "takeover_s": takeover_s, **linking}
    logging.info("choosing %s from %s: %s", subject.stem, faces, settings)
    if person not in CHOOSERS:
        raise InputError(
            f"{subject.stem} asks for person {person!r}; make it one of {', '.join(CHOOSERS)} in the corpus."
        )
    time_s, found = read_times(timeline), read_faces(faces)
    index = found.frame - 1
    if len(index) and index[-1] >= len(time_s):
        raise InputError(f"{faces} has frames that {timeline} lacks; delete both and run the workflow again.")
    who = link(found.frame, time_s[index], found.xyxy_px, found.embedding, **linking)
    persons = Persons(time_s, index, found.xyxy_px, who, max_gap_s, takeover_s)
    xyxy_px, status = fill(persons, CHOOSERS[person](persons))
    columns = {
        "frame": np.arange(1, len(time_s) + 1, dtype=np.int32),
        "time_s": time_s,
        "xyxy_px": [None if np.isnan(box[0]) else box for box in xyxy_px],
        "status": status,
    }
    write_parquet(pa.Table.from_pydict(columns, schema=SUBJECT_SCHEMA), subject, made_by(settings, [faces, timeline]))
    counts = ", ".join(f"{frames} {state}" for state, frames in Counter(status).items())
    logging.info("made %s: %d persons linked, frames: %s", subject, len(set(who)), counts or "none")


if __name__ == "__main__":
    job = snakemake  # noqa: F821
    with log_to(job.log[0]):
        run(
            faces=Path(job.input.faces),
            timeline=Path(job.input.timeline),
            subject=Path(job.output.subject),
            person=job.params.person,
            max_gap_s=job.params.max_gap_s,
            takeover_s=job.params.takeover_s,
            min_iou=job.params.min_iou,
            min_similarity=job.params.min_similarity,
            memory=job.params.memory,
        )
