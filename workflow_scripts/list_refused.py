"""List every media file that the run refused."""

import logging
from pathlib import Path

from frame_expressions.artifacts.batch_folders import files_of
from frame_expressions.artifacts.parquet import read_provenance
from frame_expressions.media.audio import read_audio_provenance
from frame_expressions.media.quarantine import Refusal, check_still_refused, finish_refusals, refusal_from
from frame_expressions.runtime.job import log_to


def run(*, files: list[str], timelines: list[Path], audio: list[Path], config: dict, quarantine: Path) -> None:
    """Write the table of the videos that were skipped, and of those whose audio was left out.

    files, timelines, audio: each video's path in the corpus, and its artifacts, in the same order. config: the part of
    the configuration that can refuse files. Raises InputError if some were refused under other settings.
    """
    timeline_settings = {path: read_provenance(path)["settings"] for path in timelines}
    audio_settings = {path: read_audio_provenance(path)["settings"] for path in audio}
    check_still_refused(timeline_settings | audio_settings, config)
    refusals: list[Refusal] = []
    for file, timeline, flac in zip(files, timelines, audio, strict=True):
        refusals += refusal_from(timeline_settings[timeline], "skipped", file, "extract_frames")
        refusals += refusal_from(audio_settings[flac], "left_out", file, "resample_audio")
    finish_refusals(refusals, quarantine)
    logging.info("made %s: %d of %d videos", quarantine, len({refusal.file for refusal in refusals}), len(files))


if __name__ == "__main__":
    job = snakemake  # noqa: F821
    with log_to(job.log[0]):
        names = list(job.params.videos)
        run(
            files=[job.params.videos[name] for name in names],
            timelines=files_of(job.input.timelines, names),
            audio=files_of(job.input.audio, names),
            config=job.params.refusing,
            quarantine=Path(job.output.quarantine),
        )
