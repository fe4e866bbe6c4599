"""Assign every frame of a video a window of the audio around it."""

import logging
from pathlib import Path

import numpy as np
import pyarrow as pa

from frame_expressions.artifacts.parquet import write_parquet
from frame_expressions.artifacts.provenance import provenance_of
from frame_expressions.artifacts.schemas import AUDIO_WINDOWS
from frame_expressions.artifacts.vocabulary import AUDIBLE
from frame_expressions.media.audio import SAMPLE_RATE, read_audio
from frame_expressions.media.audio_windows import audio_windows, window_centres
from frame_expressions.media.timeline import read_last_s, read_times
from frame_expressions.runtime.job import log_to


def run(*, audio: Path, timeline: Path, windows: Path, half_width_s: float, window_centre: str) -> None:
    """Write the audio window of every frame of the timeline. half_width_s, window_centre: see `AudioSettings`."""
    time_s = read_times(timeline)
    samples, state = read_audio(audio)
    logging.info("windows of +-%g s for %d frames of %s, state %s", half_width_s, len(time_s), audio, state)
    centre_s = window_centres(time_s, read_last_s(timeline), window_centre)
    bounds, inside_share, audible = audio_windows(centre_s, samples, SAMPLE_RATE, half_width_s)
    audible &= state == AUDIBLE
    columns = [np.arange(1, len(time_s) + 1), bounds[:, 0], bounds[:, 1], inside_share, audible]
    arrays = [pa.array(column, field.type) for column, field in zip(columns, AUDIO_WINDOWS, strict=True)]
    provenance = provenance_of({"half_width_s": half_width_s, "window_centre": window_centre}, [audio, timeline])
    write_parquet(pa.Table.from_arrays(arrays, schema=AUDIO_WINDOWS), windows, provenance)
    logging.info("made %s: %d of %d windows are audible", windows, audible.sum(), len(audible))


if __name__ == "__main__":
    job = snakemake  # noqa: F821
    with log_to(job.log[0]):
        for name in job.params.videos:
            run(
                audio=Path(job.input.audio) / f"{name}.flac",
                timeline=Path(job.input.timelines) / f"{name}.parquet",
                windows=Path(job.output.windows) / f"{name}.parquet",
                half_width_s=job.params.half_width_s,
                window_centre=job.params.window_centre,
            )
