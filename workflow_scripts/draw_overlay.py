"""Draw what is predicted for one video onto its frames, with the sound that the model heard."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image, ImageColor, ImageDraw, ImageFont

from frame_expressions.artifacts.parquet import read_parquet, read_provenance
from frame_expressions.artifacts.vocabulary import EXPRESSIONS
from frame_expressions.faces.subject import ABSENT
from frame_expressions.media.audio import open_audio
from frame_expressions.media.film_writer import write_video
from frame_expressions.media.timeline import duration_s, read_times
from frame_expressions.media.video import read_frames
from frame_expressions.prediction.overlay import Overlay, Shown
from frame_expressions.report.palette import COLOURS
from frame_expressions.runtime.job import log_to, progress

NOTICE_S, NOTICE_PX = 2.0, (640, 360)


def run(*, video: Path, table: Path, timeline: Path, audio: Path, film: Path) -> None:
    """Write `film`: upright, as long as the video, each frame at its own time, with 16 kHz mono sound.

    A video that was skipped gives a short film that says why.
    """
    time_s = read_times(timeline)
    logging.info("drawing %s: %d frames of %s", film, len(time_s), video)
    if len(time_s) == 0:
        reason = read_provenance(timeline)["settings"].get("skipped", "it has no frames")
        write_video(film, [(0.0, NOTICE_S, _notice(f"{video.name} was skipped:\n{reason}"))], None)
        return
    shown = _by_frame(read_parquet(table))
    lengths_s = np.diff(time_s, append=duration_s(time_s))

    def frames() -> Iterator[tuple[float, float, np.ndarray]]:
        overlay = None
        for frame in progress(read_frames(video, len(time_s)), len(time_s), f"drawing {film.stem}"):
            if overlay is None:
                first_size_px = frame.width_px, frame.height_px
                overlay = Overlay(*first_size_px, [ImageColor.getrgb(colour) for colour in COLOURS])
            rgb, persons = _at_size(frame.rgb, shown[frame.number], first_size_px)
            yield time_s[frame.number - 1], lengths_s[frame.number - 1], overlay.draw(rgb, persons)

    write_video(film, frames(), audio if _has_samples(audio) else None)
    logging.info("made %s: %.2f s", film, duration_s(time_s))


def _by_frame(table: pa.Table) -> dict[int, list[Shown]]:
    """Who is drawn in each frame, the first person first."""
    found: dict[int, list[Shown]] = {}
    for row in table.to_pylist():
        xyxy_px = None if row["face"] == ABSENT else tuple(row[edge] for edge in ("x1_px", "y1_px", "x2_px", "y2_px"))
        probabilities = np.array([row[f"p_{name}"] for name in EXPRESSIONS])
        shown = Shown(row["person"], xyxy_px, row["face"], row["expression"], probabilities)
        found.setdefault(row["frame"], []).append(shown)
    return found


def _at_size(rgb: np.ndarray, persons: list[Shown], size_px: tuple[int, int]) -> tuple[np.ndarray, list[Shown]]:
    """A frame and its boxes at the film's size: streams may change theirs on the way."""
    stored_px = rgb.shape[1::-1]
    if stored_px == size_px:
        return rgb, persons
    factor = np.tile(np.divide(size_px, stored_px), 2)
    boxes = [None if shown.xyxy_px is None else tuple((shown.xyxy_px * factor).tolist()) for shown in persons]
    moved = [replace(shown, xyxy_px=box) for shown, box in zip(persons, boxes, strict=True)]
    return np.asarray(Image.fromarray(rgb).resize(size_px)), moved


def _has_samples(audio: Path) -> bool:
    with open_audio(audio) as flac:
        return flac.frames > 0


def _notice(text: str) -> np.ndarray:
    canvas = Image.new("RGB", NOTICE_PX, (24, 26, 30))
    ImageDraw.Draw(canvas).multiline_text((20, 20), text, font=ImageFont.load_default(18), fill=(235, 235, 235))
    return np.asarray(canvas)


if __name__ == "__main__":
    job = snakemake  # noqa: F821
    with log_to(job.log[0]):
        run(
            video=Path(job.input.video),
            table=Path(job.input.table),
            timeline=Path(job.input.timelines) / f"{job.wildcards.video}.parquet",
            audio=Path(job.input.audio) / f"{job.wildcards.video}.flac",
            film=Path(job.output.film),
        )
