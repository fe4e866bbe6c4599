"""Bring a video's sound onto the video's clock, 16 kHz mono."""

import logging
import tempfile
from pathlib import Path

import numpy as np

from frame_expressions.artifacts.provenance import provenance_of
from frame_expressions.artifacts.vocabulary import AUDIBLE, NO_AUDIO, SILENT
from frame_expressions.media.audio import (
    SAMPLE_RATE,
    UndecodableSound,
    decode_audio,
    write_audio,
)
from frame_expressions.media.limits import Limits
from frame_expressions.media.quarantine import SKIPPING, record_refusals, refusal_settings, with_skip_hint
from frame_expressions.media.timeline import check_unchanged, duration_s, read_times
from frame_expressions.media.video import start_time_s
from frame_expressions.runtime.errors import MediaError
from frame_expressions.runtime.job import log_to


def run(*, video: Path, timeline: Path, audio: Path, on_bad_video: str, limits: dict) -> None:
    """Write the sound of `video`, as long as its timeline: padded with silence or cut where it is not.

    A video without sound, or with none that decodes, gives silence, marked `no_audio`; a skipped video, one sample
    of it, since FLAC cannot be empty. on_bad_video: where ffmpeg fails or exceeds `limits` (the fields of `Limits`),
    `stop` raises MediaError and `skip` leaves the sound out. Why sound was left out is in the settings of the file,
    under `left_out` and as `refusal_settings` says.
    """
    time_s = read_times(timeline)
    num_samples = max(1, round(duration_s(time_s) * SAMPLE_RATE))
    logging.info("resampling %s to %d Hz, %d samples", video, SAMPLE_RATE, num_samples)
    provenance = provenance_of({"sample_rate": SAMPLE_RATE}, [timeline, video] if len(time_s) else [timeline])
    check_unchanged(video, timeline, provenance)
    with tempfile.TemporaryFile() as decoded:
        num_decoded = 0
        if len(time_s):
            start_s = start_time_s(video)
            try:
                num_decoded = decode_audio(video, start_s, num_samples, decoded, Limits(**limits))
            except MediaError as error:
                may_stop = not isinstance(error, UndecodableSound)
                if on_bad_video == "stop" and may_stop:
                    raise with_skip_hint(error) from error
                logging.warning("%s", error)
                provenance["settings"] |= refusal_settings("left_out", error, video, SKIPPING if may_stop else {})
                decoded.truncate(0)
        over_s = (num_decoded - num_samples) / SAMPLE_RATE
        if over_s < 0:
            logging.info("the last %.3f s have no sound: padded", -over_s)
        elif over_s > 0:
            logging.info("sound goes on for %.3f s or more after the last frame: cut", over_s)
        decoded.truncate(2 * num_samples)  # zeros where it is longer than what was decoded
        samples = np.memmap(decoded, np.int16, "r", shape=(num_samples,))
        state = NO_AUDIO if num_decoded == 0 else AUDIBLE if samples.any() else SILENT
        write_audio(samples, state, audio, provenance)
    logging.info("made %s: %.3f s, state %s", audio, num_samples / SAMPLE_RATE, state)


if __name__ == "__main__":
    job = snakemake  # noqa: F821
    with log_to(job.log[0]):
        for name, video in zip(job.params.videos, job.input.videos, strict=True):
            with record_refusals(Path(job.params.quarantine), str(video), "resample_audio"):
                run(
                    video=Path(video),
                    timeline=Path(job.input.timelines) / f"{name}.parquet",
                    audio=Path(job.output.audio) / f"{name}.flac",
                    on_bad_video=job.config["corpus"]["on_bad_video"],
                    limits=job.config["limits"],
                )
