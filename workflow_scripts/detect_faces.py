"""Detect every face in every frame of some videos, and the cuts between their shots."""

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from frame_expressions.artifacts.parquet import write_rows
from frame_expressions.artifacts.provenance import provenance_of
from frame_expressions.artifacts.schemas import FACES
from frame_expressions.faces.boxes import cuts_metadata, face_rows
from frame_expressions.faces.cuts import CutFinder
from frame_expressions.faces.detectors import Detector, make_detector
from frame_expressions.media.timeline import check_unchanged, read_times
from frame_expressions.media.video import Frame, read_frames
from frame_expressions.runtime.job import log_to, progress


def run(
    *,
    videos: list[Path],
    timelines: list[Path],
    faces: list[Path],
    detector: dict,
    model: Path | None,
    num_threads: int,
) -> None:
    """Write the faces of each video, and its cuts as metadata.

    detector: name (`insightface` or `cascade`) and the fields of its settings, `InsightFaceSettings` or
    `CascadeSettings`. model: for `insightface`, an .onnx file or the folder of a model pack.
    """
    settings = {key: value for key, value in detector.items() if key != "name"}
    finder = make_detector(detector["name"], settings, model, num_threads)
    for video, timeline, output in zip(videos, timelines, faces, strict=True):
        time_s = read_times(timeline)
        num_frames = len(time_s)
        logging.info("detecting faces in the %d frames of %s: %s", num_frames, video, detector)
        inputs = [timeline, *finder.files, *([video] if num_frames else [])]
        provenance = provenance_of({"detector": detector["name"], **settings}, inputs)
        check_unchanged(video, timeline, provenance)
        frames = progress(read_frames(video, num_frames), num_frames, f"Detecting faces in {video.name}")
        counts: list[int] = []
        cuts: dict[str, str] = {}
        write_rows(_rows(frames, time_s, finder, counts, cuts), output, FACES, provenance, late_metadata=cuts)
        logging.info("made %s: %d faces, %d frames without one", output, sum(counts), counts.count(0))


def _rows(
    frames: Iterable[Frame], time_s: np.ndarray, detector: Detector, counts: list[int], cuts: dict[str, str]
) -> Iterator[dict]:
    """Yield a row for each face, append each frame's number of faces to `counts`, and at the end, fill in `cuts`."""
    cut_finder = CutFinder()
    for frame in frames:
        found = detector.detect(frame.rgb)
        counts.append(len(found))
        cut_finder.add(frame, time_s[frame.number - 1], found)
        yield from face_rows(frame.number, found)
    cuts |= cuts_metadata(cut_finder.finish())


if __name__ == "__main__":
    job = snakemake  # noqa: F821
    with log_to(job.log[0]):
        model = Path(job.input.model[0]) if job.input.model else None
        if model is not None and model.suffix == ".json":
            model = model.with_suffix("")  # the record of a downloaded pack is next to the pack's folder
        run(
            videos=[Path(path) for path in job.input.videos],
            timelines=[Path(job.input.timelines) / f"{name}.parquet" for name in job.params.videos],
            faces=[Path(job.output.faces) / f"{name}.parquet" for name in job.params.videos],
            detector=job.params.detector,
            model=model,
            num_threads=job.threads,
        )
