"""Decode a video once, and write its timeline and the images to keep."""

import logging
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import asdict
from functools import partial
from pathlib import Path

from frame_expressions.artifacts.parquet import write_rows
from frame_expressions.artifacts.provenance import provenance_of
from frame_expressions.artifacts.schemas import FRAMES
from frame_expressions.media.child_process import decode_in_child
from frame_expressions.media.clock import UNSHIFTED
from frame_expressions.media.clock_reader import read_clock
from frame_expressions.media.frame_images import FrameSettings, frame_images
from frame_expressions.media.limits import Limits
from frame_expressions.media.quarantine import SKIPPING, record_refusals, refusal_settings, with_skip_hint
from frame_expressions.media.timeline import FrameRow, duration_s, write_timeline
from frame_expressions.runtime.errors import MediaError
from frame_expressions.runtime.job import log_to, progress


def run(
    *, video: Path, timeline: Path, frames: Path, settings: FrameSettings, on_bad_video: str, limits: Limits
) -> None:
    """Write the timeline and the images of `video`, which is decoded in a child process within `limits`.

    on_bad_video: `stop` raises MediaError; `skip` writes both files without rows, with the reason in their provenance
    settings under `skipped`, see `refusal_settings`.
    """
    logging.info("decoding %s, images: %s", video, settings.images)
    rows: list[FrameRow] = []
    clock = UNSHIFTED
    try:
        if not video.is_file():
            raise MediaError(f"{video} is missing or is not a file", "correct its path or leave it out")
        source = provenance_of({}, [video])
        clock = read_clock(video, limits)
        decode = partial(frame_images, video, limits, settings, clock)
        with closing(decode_in_child(decode, video, limits)) as decoded:
            images = _images(progress(decoded, None, f"Decoding {video.name}"), rows)
            write_rows(images, frames, FRAMES, source | {"settings": asdict(settings)})
    except MediaError as error:
        if on_bad_video == "stop":
            raise with_skip_hint(error) from error
        logging.warning("skipped: %s", error)
        rows.clear()
        source = provenance_of(refusal_settings("skipped", error, video, SKIPPING), [video] if video.is_file() else [])
        write_rows([], frames, FRAMES, source)
    time_s, start_s = write_timeline(rows, clock, timeline, source)
    if clock.num_discontinuities and rows:
        logging.warning("%s: %s", video, clock.describe(start_s))
    damaged = sum(not row.decoded for row in rows)
    length_s = duration_s(time_s, rows[-1].length_s if rows else None)
    logging.info("made %s: %d frames, %d of them damaged, %.3f s", timeline, len(rows), damaged, length_s)


def _images(decoded: Iterable[tuple[FrameRow, bytes | None]], rows: list[FrameRow]) -> Iterator[dict]:
    """Yield the rows of the frames file, and append each row of the timeline to `rows`."""
    for row, jpeg in decoded:
        rows.append(row)
        if jpeg is not None:
            yield {"frame": len(rows), "jpeg": jpeg}


if __name__ == "__main__":
    job = snakemake  # noqa: F821
    execution = job.config["execution"]
    with log_to(job.log[0]):
        for name, video in zip(job.params.videos, job.input.videos, strict=True):
            with record_refusals(Path(job.params.quarantine), str(video), "extract_frames"):
                run(
                    video=Path(video),
                    timeline=Path(job.output.timelines) / f"{name}.parquet",
                    frames=Path(job.output.frames) / f"{name}.parquet",
                    settings=FrameSettings(**job.params.frames),
                    on_bad_video=execution["on_bad_video"],
                    limits=Limits(**execution["limits"]),
                )
