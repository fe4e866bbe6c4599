"""Find every face of every frame of some videos."""

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path

from frame_expressions.artifacts.parquet import write_rows
from frame_expressions.artifacts.provenance import provenance_of
from frame_expressions.faces.boxes import FACES_SCHEMA, face_rows
from frame_expressions.faces.detectors import CascadeDetector, Detector, InsightFaceDetector
from frame_expressions.media.timeline import check_unchanged, read_times
from frame_expressions.media.video import Frame, read_frames
from frame_expressions.runtime.job import log_to, progress


def run(
    *,
    videos: list[Path],
    timelines: list[Path],
    faces: list[Path],
    detector: str,
    settings: dict,
    model: Path | None,
    min_side_px: float,
    num_threads: int,
) -> None:
    """Write the faces of each video whose box is at least `min_side_px` wide and high.

    detector: `insightface`, with the settings input_px, min_score, device and a `model` (an .onnx file or a pack's
    folder); or `cascade`, with scale_factor, step_ratio, min_neighbors and no model. settings: the detector's block of
    the configuration, whose own `model` is a name for the one given here, and left out.
    """
    settings = {name: value for name, value in settings.items() if name != "model"} | {"min_side_px": min_side_px}
    finder: Detector
    if detector == "insightface":
        finder = InsightFaceDetector(model=model, num_threads=num_threads, **settings)
    else:
        finder = CascadeDetector(**settings)
    for video, timeline, output in zip(videos, timelines, faces, strict=True):
        num_frames = len(read_times(timeline))
        logging.info("%s on the %d frames of %s: %s", detector, num_frames, video, settings)
        provenance = provenance_of(
            {"detector": detector, **settings}, [timeline, *finder.files, *([video] if num_frames else [])]
        )
        check_unchanged(video, timeline, provenance)
        frames = progress(read_frames(video, num_frames), num_frames, f"Detecting faces in {video.name}")
        counts: list[int] = []
        write_rows(_rows(frames, finder, counts), output, FACES_SCHEMA, provenance)
        logging.info("made %s: %d faces, %d frames without one", output, sum(counts), counts.count(0))


def _rows(frames: Iterable[Frame], detector: Detector, counts: list[int]) -> Iterator[dict]:
    """Yield the rows of all faces and append each frame's number of faces to `counts` on the way."""
    for frame in frames:
        found = detector.detect(frame.rgb)
        counts.append(len(found))
        yield from face_rows(frame.number, found)


if __name__ == "__main__":
    job = snakemake  # noqa: F821
    with log_to(job.log[0]):
        model = Path(job.input.model[0]) if job.input.model else None
        if model is not None and model.suffix == ".json":
            model = model.with_suffix("")  # the record of a fetched pack lies beside the pack's folder
        run(
            videos=[Path(path) for path in job.input.videos],
            timelines=[Path(job.input.timelines) / f"{name}.parquet" for name in job.params.videos],
            faces=[Path(job.output.faces) / f"{name}.parquet" for name in job.params.videos],
            detector=job.params.detector,
            model=model,
            num_threads=job.threads,
        )
