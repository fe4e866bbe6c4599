"""Decode a video once: settle its timeline, and keep its images as asked."""

import logging
from collections.abc import Iterable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pyarrow as pa

from frame_expressions.artifacts.parquet import write_parquet, write_rows
from frame_expressions.artifacts.provenance import provenance_of
from frame_expressions.artifacts.schemas import FRAMES, TIMELINE
from frame_expressions.media.child_process import decode_in_child
from frame_expressions.media.jpeg import encode_jpeg
from frame_expressions.media.limits import Limits
from frame_expressions.media.quarantine import SKIPPING, record_refusals, refusal_settings, with_skip_hint
from frame_expressions.media.timeline import duration_s
from frame_expressions.media.video import read_video
from frame_expressions.runtime.errors import MediaError
from frame_expressions.runtime.job import log_to, progress


def run(
    *,
    video: Path,
    timeline: Path,
    frames: Path,
    images: str,
    thumbnail_px: int,
    jpeg_quality: int,
    on_bad_video: str,
    limits: dict,
) -> None:
    """Write the timeline and the images of `video`, which is decoded in a child process within `limits`.

    images: `none`, `thumbnails` (longest side `thumbnail_px`, never enlarged) or `full`. on_bad_video: `stop`
    raises MediaError; `skip` writes both files without rows, with the reason in their settings, under `skipped` and
    as `refusal_settings` says. limits: the fields of `Limits`.
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
            raise MediaError(f"{video} is missing or is no file", "correct its path or remove it from the corpus")
        source = provenance_of({}, [video])
        decode = partial(_pictures, video, Limits(**limits), **settings)
        with closing(decode_in_child(decode, video, Limits(**limits))) as pictures:
            images_of = _images(progress(pictures, None, f"Decoding {video.name}"), rows)
            write_rows(images_of, frames, FRAMES, source | {"settings": settings})
    except MediaError as error:
        if on_bad_video == "stop":
            raise with_skip_hint(error) from error
        logging.warning("skipped: %s", error)
        rows.clear()
        source = provenance_of(refusal_settings("skipped", error, video, SKIPPING), [video] if video.is_file() else [])
        write_rows([], frames, FRAMES, source)
    table = pa.Table.from_pylist(rows, schema=TIMELINE)
    write_parquet(table, timeline, source)
    damaged = sum(not row["decoded"] for row in rows)
    length_s = duration_s(table["time_s"].to_numpy())
    logging.info("made %s: %d frames, %d of them damaged, %.3f s", timeline, len(rows), damaged, length_s)


def _pictures(
    video: Path, limits: Limits, images: str, jpeg_quality: int = 0, thumbnail_px: int = 0
) -> Iterator[tuple[dict, bytes | None]]:
    """Yield each picture's row of the timeline and its JPEG, if images are kept."""
    for frame in read_video(video, limits):
        row = {name: getattr(frame, name) for name in ("time_s", "decoded", "width_px", "height_px")}
        jpeg = None
        if images == "full":
            jpeg = encode_jpeg(frame.rgb, jpeg_quality)
        elif images == "thumbnails":
            jpeg = encode_jpeg(frame.thumbnail(thumbnail_px), jpeg_quality)
        yield {"frame": frame.number} | row, jpeg


def _images(pictures: Iterable[tuple[dict, bytes | None]], rows: list[dict]) -> Iterator[dict]:
    """Yield the rows of the frames file and append the timeline's to `rows` on the way."""
    for row, jpeg in pictures:
        rows.append(row)
        if jpeg is not None:
            yield {"frame": row["frame"], "jpeg": jpeg}


if __name__ == "__main__":
    job = snakemake  # noqa: F821
    with log_to(job.log[0]):
        for name, video in zip(job.params.videos, job.input.videos, strict=True):
            with record_refusals(Path(job.params.quarantine), str(video), "extract_frames"):
                run(
                    video=Path(video),
                    timeline=Path(job.output.timelines) / f"{name}.parquet",
                    frames=Path(job.output.frames) / f"{name}.parquet",
                    images=job.params.images,
                    thumbnail_px=job.params.thumbnail_px,
                    jpeg_quality=job.params.jpeg_quality,
                    on_bad_video=job.config["corpus"]["on_bad_video"],
                    limits=job.config["limits"],
                )
