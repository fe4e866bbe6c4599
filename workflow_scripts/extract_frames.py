"""Decode a video once: settle its timeline, and keep its images as asked."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from workflow_scripts.lib.artifacts import made_by, write_parquet
from workflow_scripts.lib.errors import InputError
from workflow_scripts.lib.job import log_to, progress
from workflow_scripts.lib.media.jpeg import encode_jpeg
from workflow_scripts.lib.media.rows import write_rows
from workflow_scripts.lib.media.timeline import SCHEMA, duration_s
from workflow_scripts.lib.media.video import read_video

FRAMES_SCHEMA = pa.schema([("frame", pa.int32()), ("jpeg", pa.binary())])


def run(
    *,
    video: Path,
    timeline: Path,
    frames: Path,
    images: str,
    thumbnail_px: int,
    jpeg_quality: int,
    on_bad_video: str,
) -> None:
    """Write the timeline and the images of `video`.

    images: `none`, `thumbnails` (longest side `thumbnail_px`, never enlarged) or `full`. on_bad_video: `stop`
    raises InputError; `skip` writes both files without rows, with the reason under `skipped` in their
    settings.
    """
    logging.info("decoding %s, images: %s", video, images)
    settings = {"images": images}
    if images != "none":
        settings["jpeg_quality"] = jpeg_quality
    if images == "thumbnails":
        settings["thumbnail_px"] = thumbnail_px
    rows: list[dict] = []
    try:
        if not video.is_file():
            raise InputError(f"{video} is missing or is no file; correct its path or remove it from the corpus.")
        source = made_by({}, [video])
        write_rows(_images(video, rows, **settings), frames, FRAMES_SCHEMA, source | {"settings": settings})
    except InputError as error:
        if on_bad_video == "stop":
            raise InputError(f"{str(error).removesuffix('.')}, or set corpus.on_bad_video to skip.") from error
        logging.warning("skipped: %s", error)
        rows.clear()
        reason = str(error).replace(str(video), video.name)  # no path goes into an artifact
        source = made_by({"skipped": reason}, [video] if video.is_file() else [])
        write_rows([], frames, FRAMES_SCHEMA, source)
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    write_parquet(table, timeline, source)
    damaged = sum(not row["decoded"] for row in rows)
    length_s = duration_s(table["time_s"].to_numpy())
    logging.info("made %s: %d frames, %d of them damaged, %.3f s", timeline, len(rows), damaged, length_s)


def _images(video: Path, rows: list[dict], images: str, jpeg_quality: int = 0, thumbnail_px: int = 0) -> Iterator[dict]:
    """Yield the rows of the frames file and append the timeline's to `rows` on the way."""
    for frame in progress(read_video(video), None, f"Decoding {video.name}"):
        row = {name: getattr(frame, name) for name in ("time_s", "decoded", "width_px", "height_px")}
        rows.append({"frame": frame.number, **row})
        if images == "full":
            yield {"frame": frame.number, "jpeg": encode_jpeg(frame.rgb, jpeg_quality)}
        elif images == "thumbnails":
            yield {"frame": frame.number, "jpeg": encode_jpeg(frame.thumbnail(thumbnail_px), jpeg_quality)}


if __name__ == "__main__":
    job = snakemake  # noqa: F821
    with log_to(job.log[0]):
        for name, video in zip(job.params.videos, job.input.videos, strict=True):
            run(
                video=Path(video),
                timeline=Path(job.output.timelines) / f"{name}.parquet",
                frames=Path(job.output.frames) / f"{name}.parquet",
                images=job.params.images,
                thumbnail_px=job.params.thumbnail_px,
                jpeg_quality=job.params.jpeg_quality,
                on_bad_video=job.params.on_bad_video,
            )
