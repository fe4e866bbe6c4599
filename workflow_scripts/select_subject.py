"""Choose the person that a track is about, in every frame of its video."""

import logging
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow as pa

from frame_expressions.artifacts.parquet import write_parquet
from frame_expressions.artifacts.provenance import provenance_of
from frame_expressions.artifacts.schemas import SUBJECT
from frame_expressions.faces.boxes import read_faces
from frame_expressions.faces.subject import find_subject
from frame_expressions.faces.tracking import SubjectSettings
from frame_expressions.media.timeline import read_times
from frame_expressions.runtime.errors import InputError
from frame_expressions.runtime.job import log_to


def run(
    *, faces: Path, timeline: Path, subject: Path, person: str, overrides: list[dict], settings: SubjectSettings
) -> None:
    """Write the subject's box and status for every frame of the timeline.

    person: see `faces.person_spec`. overrides: rows of `corpora.overrides`. Raises InputError for an override or a
    reference to a face that does not fit the video.
    """
    chosen_by = {"person": person, "overrides": overrides, **asdict(settings)}
    logging.info("choosing %s from %s: %s", subject.stem, faces, chosen_by)
    time_s, found = read_times(timeline), read_faces(faces)
    if len(found.frame) and found.frame[-1] > len(time_s):
        raise InputError(f"{faces} has frames that {timeline} lacks", "delete both and run the workflow again")
    try:
        chosen = find_subject(found, time_s, person, overrides, settings)
    except InputError as error:
        raise InputError(f"Track {subject.stem}, {error.what}", error.remedy) from error
    columns = {
        "frame": np.arange(1, len(time_s) + 1, dtype=np.int32),
        "time_s": time_s,
        "xyxy_px": [None if np.isnan(box[0]) else box for box in chosen.xyxy_px],
        "status": chosen.status,
        "person": pa.array(chosen.person, pa.int32(), mask=chosen.person < 0),
    }
    provenance = provenance_of(chosen_by | {"num_persons": chosen.num_persons}, [faces, timeline])
    write_parquet(pa.Table.from_pydict(columns, schema=SUBJECT), subject, provenance)
    counts = ", ".join(f"{frames} {state}" for state, frames in Counter(chosen.status).items())
    logging.info(
        "made %s: %d persons, %d of them main; frames: %s",
        subject,
        chosen.num_persons,
        chosen.num_mains,
        counts or "none",
    )


if __name__ == "__main__":
    job = snakemake  # noqa: F821
    with log_to(job.log[0]):
        for track in job.params.tracks:
            run(
                faces=Path(job.input.faces) / f"{track['video']}.parquet",
                timeline=Path(job.input.timelines) / f"{track['video']}.parquet",
                subject=Path(job.output.subjects) / f"{track['track']}.parquet",
                person=track["person"],
                overrides=track["overrides"],
                settings=SubjectSettings(**job.params.subject),
            )
