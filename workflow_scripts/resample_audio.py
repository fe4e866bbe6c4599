"""Resample a video's audio to 16 kHz mono, aligned to the video's clock."""

import logging
from pathlib import Path

from frame_expressions.artifacts.provenance import provenance_of
from frame_expressions.media.audio import SAMPLE_RATE, UndecodableAudio, aligned_audio, no_audio, write_audio
from frame_expressions.media.limits import Limits
from frame_expressions.media.quarantine import SKIPPING, record_refusals, refusal_settings, with_skip_hint
from frame_expressions.media.timeline import check_unchanged, read_last_s, read_start, read_times
from frame_expressions.runtime.errors import MediaError
from frame_expressions.runtime.job import log_to


def run(*, video: Path, timeline: Path, audio: Path, stream: int | str, on_bad_video: str, limits: Limits) -> None:
    """Write the audio of `video`, padded with silence or cut to the length of its timeline.

    A video without audio, or with audio that does not decode, gives silence in the state `no_audio`; a skipped video
    gives one sample of it, since FLAC cannot be empty. on_bad_video: if ffmpeg fails or exceeds `limits`, `stop` raises
    MediaError and `skip` leaves the audio out. The provenance settings give the reason for audio that was left out,
    under `left_out`, see `refusal_settings`.
    """
    time_s, last_s = read_times(timeline), read_last_s(timeline)
    logging.info("resampling %s to %d Hz, %d frames", video, SAMPLE_RATE, len(time_s))
    provenance = provenance_of(
        {"sample_rate": SAMPLE_RATE, "stream": stream}, [timeline, video] if len(time_s) else [timeline]
    )
    check_unchanged(video, timeline, provenance)
    samples, state, recorded = no_audio(time_s, last_s)
    if len(time_s):
        try:
            samples, state, recorded = aligned_audio(video, time_s, *read_start(timeline), stream, limits, last_s)
        except MediaError as error:
            may_stop = not isinstance(error, UndecodableAudio)
            if on_bad_video == "stop" and may_stop:
                raise with_skip_hint(error) from error
            logging.warning("%s", error)
            provenance["settings"] |= refusal_settings("left_out", error, video, SKIPPING if may_stop else {})
    write_audio(samples, state, audio, provenance, recorded)
    logging.info("made %s: %.3f s, state %s", audio, len(samples) / SAMPLE_RATE, state)


if __name__ == "__main__":
    job = snakemake  # noqa: F821
    execution = job.config["execution"]
    with log_to(job.log[0]):
        for name, video in zip(job.params.videos, job.input.videos, strict=True):
            with record_refusals(Path(job.params.quarantine), str(video), "resample_audio"):
                run(
                    video=Path(video),
                    timeline=Path(job.input.timelines) / f"{name}.parquet",
                    audio=Path(job.output.audio) / f"{name}.flac",
                    stream=job.params.stream,
                    on_bad_video=execution["on_bad_video"],
                    limits=Limits(**execution["limits"]),
                )
