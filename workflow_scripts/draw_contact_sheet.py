"""Draw the contact sheet of one track, which shows whether the right person was chosen."""

import io
import logging
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import numpy as np
from PIL import Image

from frame_expressions.artifacts.atomic import atomic_write
from frame_expressions.artifacts.parquet import read_parquet, read_provenance
from frame_expressions.artifacts.provenance import provenance_of
from frame_expressions.artifacts.text import write_json
from frame_expressions.faces.boxes import read_boxes
from frame_expressions.media.jpeg import encode_jpeg
from frame_expressions.media.video import read_frames
from frame_expressions.report.contact_sheet import ContactSheet, ContactSheetSettings, SheetTrack
from frame_expressions.report.sheet_drawing import NOBODY
from frame_expressions.runtime.errors import InputError
from frame_expressions.runtime.job import log_to


def run(
    *,
    subject: Path,
    faces: Path,
    timeline: Path,
    frames: Path,
    crops: Path,
    video: Path | None,
    sheet: Path,
    figures: Path,
    settings: ContactSheetSettings,
) -> None:
    """Write a track's contact sheet, a JPEG, and its statistics for the index.

    video: the source of the frames if `frames` stores no images, otherwise None.
    """
    logging.info("drawing %s from %s: %s", sheet, frames if video is None else video, settings)
    track = _read_track(subject, faces, timeline)
    content = ContactSheet(track, settings)
    doubt, other = content.doubt, content.other
    images = _images(frames, video, [index + 1 for index in content.shown], len(track))
    crops_of = {
        index: [_decode(jpeg) for jpeg in _jpegs(crops, index + 1)]
        for index in content.shown
        if not track.is_absent(index)
    }
    chosen_by = read_provenance(subject)["settings"]
    num_overrides = len(chosen_by["overrides"])
    overrides = f", overrides: {num_overrides}" if num_overrides else ""
    title = f"{subject.stem}   (video {timeline.stem}, person: {chosen_by['person']}{overrides})"
    drawn = content.draw(title, {index: images[index + 1] for index in content.shown}, crops_of)
    with atomic_write(sheet) as temporary:
        temporary.write_bytes(encode_jpeg(drawn, settings.jpeg_quality))
    statistics = {
        "track": subject.stem,
        "video": timeline.stem,
        "person": chosen_by["person"],
        "num_overrides": num_overrides,
        "num_frames": doubt.num_frames,
        "doubt": doubt.doubt,
        "num_switches": len(doubt.switches),
        "num_jumps": len(doubt.jumps),
        "absent_share": doubt.absent_share,
        "interpolated_share": doubt.interpolated_share,
        "rival_share": doubt.rival_share,
        "median_side_px": doubt.median_side_px,
        "other_frame": None if other is None else int(track.face_index[other]) + 1,
        "other_xyxy_px": None if other is None else np.round(track.face_xyxy_px[other].astype(float), 1).tolist(),
        "sheet_size_px": [drawn.shape[1], drawn.shape[0]],
        "provenance": provenance_of(asdict(settings), [subject, faces]),
    }
    write_json(statistics, figures)
    logging.info("made %s: %d frames shown, doubt %.3f", sheet, len(content.shown), doubt.doubt)


def _read_track(subject: Path, faces: Path, timeline: Path) -> SheetTrack:
    chosen = read_parquet(subject, columns=["time_s", "status", "person"])
    found = read_parquet(faces, columns=["frame", "xyxy_px"])
    size = read_parquet(timeline, columns=["width_px", "height_px"])
    boxes = [np.full(4, np.nan) if box is None else box for box in read_boxes(subject)]
    return SheetTrack(
        time_s=chosen["time_s"].to_numpy(),
        status=chosen["status"].to_numpy(),
        person=chosen["person"].fill_null(NOBODY).to_numpy(),
        xyxy_px=np.array(boxes).reshape(-1, 4),
        face_index=found["frame"].to_numpy() - 1,
        face_xyxy_px=found["xyxy_px"].combine_chunks().flatten().to_numpy().reshape(-1, 4),
        size_px=np.column_stack([size["width_px"], size["height_px"]]),
    )


def _images(frames: Path, video: Path | None, numbers: Iterable[int], num_frames: int) -> dict[int, np.ndarray]:
    """The images of some frames by 1-based frame number, uint8 [H, W, 3], RGB."""
    if video is not None:
        wanted = set(numbers)
        return {frame.number: frame.rgb for frame in read_frames(video, num_frames) if frame.number in wanted}
    images = {}
    for number in numbers:
        jpegs = _jpegs(frames, number)
        if not jpegs:
            raise InputError(f"{frames} lacks frame {number}", "delete it and run the workflow again to rebuild it")
        images[number] = _decode(jpegs[0])
    return images


def _jpegs(path: Path, number: int) -> list[bytes]:
    """The JPEGs of one frame in file order; reads only the row groups that hold it."""
    return read_parquet(path, columns=["jpeg"], filters=[("frame", "==", number)])["jpeg"].to_pylist()


def _decode(jpeg: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(jpeg)) as opened:
        return np.asarray(opened.convert("RGB"))


if __name__ == "__main__":
    job = snakemake  # noqa: F821
    with log_to(job.log[0]):
        track, source = f"{job.wildcards.track}.parquet", f"{job.params.source}.parquet"
        run(
            subject=Path(job.input.subjects) / track,
            faces=Path(job.input.faces) / source,
            timeline=Path(job.input.timelines) / source,
            frames=Path(job.input.frames) / source,
            crops=Path(job.input.crops) / track,
            video=Path(job.input.video) if job.input.video else None,
            sheet=Path(job.output.sheet),
            figures=Path(job.output.figures),
            settings=ContactSheetSettings(**job.params.contact_sheets),
        )
