"""Choose the person that a track is about, in every frame of its video."""

import logging
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa

from frame_expressions.artifacts.parquet import write_parquet
from frame_expressions.artifacts.provenance import provenance_of
from frame_expressions.faces.boxes import SUBJECT_SCHEMA, read_faces
from frame_expressions.faces.persons import Persons
from frame_expressions.faces.subject import ABSENT, choose, interpolate_boxes
from frame_expressions.faces.tracking import track_detections
from frame_expressions.media.timeline import read_times
from frame_expressions.runtime.errors import InputError
from frame_expressions.runtime.job import log_to


def run(
    *,
    faces: Path,
    timeline: Path,
    subject: Path,
    person: str,
    overrides: list[dict],
    max_gap_s: float,
    takeover_s: float,
    min_iou: float,
    min_similarity: float,
    memory: float,
) -> None:
    """Write the subject's box and status for every frame of the timeline.

    person: see `faces.wanted`. overrides: rows of `corpora.overrides`, which win over it, of several the last. The
    other settings are those of `subject.choose` and `linking.link`. Raises InputError where an override or an
    identity's reference does not fit the video.
    """
    linking = {"max_gap_s": max_gap_s, "min_iou": min_iou, "min_similarity": min_similarity, "memory": memory}
    settings = {"person": person, "overrides": overrides, "takeover_s": takeover_s, **linking}
    logging.info("choosing %s from %s: %s", subject.stem, faces, settings)
    time_s, found = read_times(timeline), read_faces(faces)
    index = found.frame - 1
    if len(index) and index[-1] >= len(time_s):
        raise InputError(f"{faces} has frames that {timeline} lacks", "delete both and run the workflow again")
    who = track_detections(found.frame, time_s[index], found.xyxy_px, found.embedding, **linking)
    persons = Persons(time_s, index, found.xyxy_px, who, found.embedding, min_similarity)
    choice, closed = _choose(persons, subject.stem, person, overrides, max_gap_s=max_gap_s, takeover_s=takeover_s)
    xyxy_px, status, number = interpolate_boxes(persons, choice, closed, max_gap_s)
    columns = {
        "frame": np.arange(1, len(time_s) + 1, dtype=np.int32),
        "time_s": time_s,
        "xyxy_px": [None if np.isnan(box[0]) else box for box in xyxy_px],
        "status": status,
        "person": pa.array(number, pa.int32(), mask=number < 0),
    }
    write_parquet(
        pa.Table.from_pydict(columns, schema=SUBJECT_SCHEMA), subject, provenance_of(settings, [faces, timeline])
    )
    counts = ", ".join(f"{frames} {state}" for state, frames in Counter(status).items())
    logging.info(
        "made %s: %d persons linked, %d of them main, frames: %s",
        subject,
        len(set(who)),
        len(persons.mains),
        counts or "none",
    )


def _choose(
    persons: Persons, track: str, person: str, overrides: list[dict], **settings: float
) -> tuple[np.ndarray, np.ndarray]:
    """The choice and, bool [T], the frames that an override leaves without anybody."""
    num_frames = len(persons.time_s)
    closed = np.zeros(num_frames, bool)
    if num_frames == 0:  # a skipped video
        return np.zeros(0, int), closed
    try:
        choice = choose(persons, person, **settings)
    except InputError as error:
        raise InputError(f"Track {track}, person {person}: {error}") from error
    for row in overrides:
        if row["from_frame"] > num_frames:
            raise InputError(
                (
                    f"The overrides of track {track} begin with frame {row['from_frame']}, but its video "
                    f"has {num_frames} "
                    "frames"
                ),
                "correct the row",
            )
        frames = slice(row["from_frame"] - 1, row["to_frame"])
        closed[frames] = row["person"] == ABSENT
        try:
            other = np.full(num_frames, -1) if row["person"] == ABSENT else choose(persons, row["person"], **settings)
        except InputError as error:
            raise InputError(f"The overrides of track {track}, {row['person']}: {error}") from error
        choice[frames] = other[frames]
    return choice, closed


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
                max_gap_s=job.params.max_gap_s,
                takeover_s=job.params.takeover_s,
                min_iou=job.params.min_iou,
                min_similarity=job.params.min_similarity,
                memory=job.params.memory,
            )
