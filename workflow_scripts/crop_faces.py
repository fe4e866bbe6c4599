"""Cut a track's face out of every frame that shows it, at each scale."""

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from itertools import islice
from pathlib import Path

import numpy as np

from frame_expressions.artifacts.parquet import write_rows
from frame_expressions.artifacts.provenance import provenance_of
from frame_expressions.artifacts.schemas import CROPS
from frame_expressions.faces.boxes import read_boxes
from frame_expressions.faces.crops import CropSettings, crop_at_scales
from frame_expressions.media.video import Frame, read_frames
from frame_expressions.runtime.job import log_to, progress

FRAMES_PER_THREAD = 4  # at a time, which bounds the memory


def run(*, video: Path, subject: Path, crops: Path, settings: CropSettings, size_px: int, num_threads: int) -> None:
    """Write the crops of one track, frame by frame and within a frame in the order of the scales.

    size_px: side of a stored crop. Frames without a box have no rows. If the track has no box at all, its video is not
    opened.
    """
    boxes = read_boxes(subject)
    present = sum(box is not None for box in boxes)
    logging.info("cropping %d of %d frames of %s: %s, %d px", present, len(boxes), video, settings, size_px)
    frames = progress(read_frames(video, len(boxes)), len(boxes), f"Cropping {crops.stem}") if present else ()

    def rows_of(frame: Frame, xyxy_px: np.ndarray) -> list[dict]:
        cut = crop_at_scales(frame.rgb, xyxy_px, settings, size_px)
        return [{"frame": frame.number, **vars(crop)} for crop in cut]

    def rows() -> Iterator[dict]:
        seen = ((frame, boxes[frame.number - 1]) for frame in frames if boxes[frame.number - 1] is not None)
        with ThreadPoolExecutor(num_threads) as threads:
            while group := list(islice(seen, FRAMES_PER_THREAD * num_threads)):
                for rows_of_frame in threads.map(lambda item: rows_of(*item), group):
                    yield from rows_of_frame

    provenance = provenance_of({**asdict(settings), "size_px": size_px}, [subject, video] if present else [subject])
    write_rows(rows(), crops, CROPS, provenance)
    logging.info("made %s: %d crops", crops, present * len(settings.scales))


if __name__ == "__main__":
    job = snakemake  # noqa: F821
    with log_to(job.log[0]):
        path_of = dict(zip(job.params.videos, map(Path, job.input.videos), strict=True))
        for track, video in job.params.tracks.items():
            run(
                video=path_of[video],
                subject=Path(job.input.subjects) / f"{track}.parquet",
                crops=Path(job.output.crops) / f"{track}.parquet",
                settings=CropSettings(**job.params.crops),
                size_px=job.params.size_px,
                num_threads=job.threads,
            )
