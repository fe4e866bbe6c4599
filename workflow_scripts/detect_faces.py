"""Detect every face in every frame of some videos."""

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path

from frame_expressions.artifacts.parquet import write_rows
from frame_expressions.artifacts.provenance import provenance_of
from frame_expressions.artifacts.schemas import FACES
from frame_expressions.faces.boxes import face_rows
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
    """Write the faces of each video.

    detector: name (`insightface` or `cascade`) and the fields of its settings, `InsightFaceSettings` or
    `CascadeSettings`. model: for `insightface`, an .onnx file or the folder of a model pack.
    """
    settings = {key: value for key, value in detector.items() if key != "name"}
    finder = make_detector(detector["name"], settings, model, num_threads)
    for video, timeline, output in zip(videos, timelines, faces, strict=True):
        num_frames = len(read_times(timeline))
        logging.info("detecting faces in the %d frames of %s: %s", num_frames, video, detector)
        inputs = [timeline, *finder.files, *([video] if num_frames else [])]
        provenance = provenance_of({"detector": detector["name"], **settings}, inputs)
        check_unchanged(video, timeline, provenance)
        frames = progress(read_frames(video, num_frames), num_frames, f"Detecting faces in {video.name}")
        counts: list[int] = []
        write_rows(_rows(frames, finder, counts), output, FACES, provenance)
        logging.info("made %s: %d faces, %d frames without one", output, sum(counts), counts.count(0))


def _rows(frames: Iterable[Frame], detector: Detector, counts: list[int]) -> Iterator[dict]:
    """Yield a row for each face, and append each frame's number of faces to `counts`."""
    for frame in frames:
        found = detector.detect(frame.rgb)
        counts.append(len(found))
        yield from face_rows(frame.number, found)


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
