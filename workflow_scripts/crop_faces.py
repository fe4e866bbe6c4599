"""Cut a track's face out of every frame that shows it, at each scale."""

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np

from frame_expressions.artifacts.parquet import write_rows
from frame_expressions.artifacts.provenance import provenance_of
from frame_expressions.artifacts.schemas import CROPS
from frame_expressions.faces.boxes import read_boxes
from frame_expressions.faces.crops import square_crop
from frame_expressions.media.jpeg import encode_jpeg
from frame_expressions.media.video import Frame, read_frames
from frame_expressions.runtime.job import log_to, progress

FRAMES_PER_THREAD = 4  # at a time, so that memory stays bounded


def run(
    *,
    video: Path,
    subject: Path,
    crops: Path,
    scales: list[float],
    size_px: int,
    jpeg_quality: int,
    num_threads: int,
) -> None:
    """Write the crops of one track, frame by frame and within a frame in the order of `scales`.

    Frames without a box have no rows; a track that is never seen leaves its video unopened.
    """
    settings = {"scales": list(scales), "size_px": size_px, "jpeg_quality": jpeg_quality}
    boxes = read_boxes(subject)
    present = sum(box is not None for box in boxes)
    logging.info("cropping %d of %d frames of %s: %s", present, len(boxes), video, settings)
    pictures = progress(read_frames(video, len(boxes)), len(boxes), f"Cropping {crops.stem}") if present else ()
    cut = partial(_cut, scales=scales, size_px=size_px, jpeg_quality=jpeg_quality)
    inputs = [subject, video] if present else [subject]

    def rows() -> Iterator[dict]:
        seen = ((frame, boxes[frame.number - 1]) for frame in pictures if boxes[frame.number - 1] is not None)
        with ThreadPoolExecutor(num_threads) as cutters:
            while batch := list(islice(seen, FRAMES_PER_THREAD * num_threads)):
                for crops_of_frame in cutters.map(lambda item: cut(*item), batch):
                    yield from crops_of_frame

    write_rows(rows(), crops, CROPS, provenance_of(settings, inputs))
    logging.info("made %s: %d crops", crops, present * len(scales))


def _cut(frame: Frame, xyxy_px: np.ndarray, scales: list[float], size_px: int, jpeg_quality: int) -> list[dict]:
    rows = []
    for scale in scales:
        rgb, padded_share = square_crop(frame.rgb, xyxy_px, scale, size_px)
        jpeg = encode_jpeg(rgb, jpeg_quality)
        rows.append({"frame": frame.number, "scale": scale, "jpeg": jpeg, "padded_share": padded_share})
    return rows


if __name__ == "__main__":
    job = snakemake  # noqa: F821
    with log_to(job.log[0]):
        path_of = dict(zip(job.params.videos, map(Path, job.input.videos), strict=True))
        for track, video in job.params.tracks.items():
            run(
                video=path_of[video],
                subject=Path(job.input.subjects) / f"{track}.parquet",
                crops=Path(job.output.crops) / f"{track}.parquet",
                scales=job.params.scales,
                size_px=job.params.size_px,
                jpeg_quality=job.params.jpeg_quality,
                num_threads=job.threads,
            )
