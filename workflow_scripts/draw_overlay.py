"""Draw the predictions of one video onto its frames, and add the audio that the model received."""

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import ImageColor

from frame_expressions.artifacts.parquet import read_parquet, read_provenance
from frame_expressions.media.audio import open_audio
from frame_expressions.media.film_writer import write_video
from frame_expressions.media.timeline import duration_s, read_last_s, read_times
from frame_expressions.media.video import read_frames
from frame_expressions.prediction.overlay import Overlay, draw_notice, persons_by_frame, resize_to
from frame_expressions.report.palette import COLOURS
from frame_expressions.runtime.job import log_to, progress

NOTICE_S = 2.0


def run(*, video: Path, table: Path, timeline: Path, audio: Path, output: Path) -> None:
    """Write `output`, the overlay video: upright, as long as `video`, frames at their times, 16 kHz mono audio.

    The overlay of a skipped video is a short notice that says why it was skipped.
    """
    time_s = read_times(timeline)
    length_s = duration_s(time_s, read_last_s(timeline))
    logging.info("drawing %s: %d frames of %s", output, len(time_s), video)
    if len(time_s) == 0:
        reason = read_provenance(timeline)["settings"].get("skipped", "it has no frames")
        write_video(output, [(0.0, NOTICE_S, draw_notice(f"{video.name} was skipped:\n{reason}"))], None)
        return
    shown = persons_by_frame(read_parquet(table))
    lengths_s = np.diff(time_s, append=length_s)

    def frames() -> Iterator[tuple[float, float, np.ndarray]]:
        overlay = None
        for frame in progress(read_frames(video, len(time_s)), len(time_s), f"drawing {output.stem}"):
            if overlay is None:
                first_size_px = frame.width_px, frame.height_px
                overlay = Overlay(*first_size_px, [ImageColor.getrgb(colour) for colour in COLOURS])
            rgb, persons = resize_to(first_size_px, frame.rgb, shown[frame.number])
            yield time_s[frame.number - 1], lengths_s[frame.number - 1], overlay.draw(rgb, persons)

    write_video(output, frames(), audio if _has_samples(audio) else None)
    logging.info("made %s: %.2f s", output, length_s)


def _has_samples(audio: Path) -> bool:
    with open_audio(audio) as flac:
        return flac.frames > 0


if __name__ == "__main__":
    job = snakemake  # noqa: F821
    with log_to(job.log[0]):
        run(
            video=Path(job.input.video),
            table=Path(job.input.table),
            timeline=Path(job.input.timelines) / f"{job.wildcards.video}.parquet",
            audio=Path(job.input.audio) / f"{job.wildcards.video}.flac",
            output=Path(job.output.overlay),
        )
