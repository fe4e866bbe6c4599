"""List every media file that the run refused."""

import logging
from collections.abc import Iterator
from pathlib import Path

from workflow_scripts.lib.artifacts import read_made_by
from workflow_scripts.lib.corpora.batches import files_of
from workflow_scripts.lib.job import log_to
from workflow_scripts.lib.media.audio import read_audio_made_by
from workflow_scripts.lib.media.quarantine import Refusal, refusal_from, write_refusals


def run(*, files: list[str], timelines: list[Path], audio: list[Path], quarantine: Path) -> None:
    """Write the table of the videos that were skipped, and of those whose sound was left out.

    files, timelines, audio: each video's path in the corpus, and its artifacts, in the same order.
    """
    refusals = list(_refusals(files, timelines, audio))
    write_refusals(refusals, quarantine)
    logging.info("made %s: %d of %d videos", quarantine, len({refusal.file for refusal in refusals}), len(files))


def _refusals(files: list[str], timelines: list[Path], audio: list[Path]) -> Iterator[Refusal]:
    for file, timeline, sound in zip(files, timelines, audio, strict=True):
        yield from refusal_from(read_made_by(timeline)["settings"], "skipped", file, "extract_frames")
        yield from refusal_from(read_audio_made_by(sound)["settings"], "left_out", file, "resample_audio")


if __name__ == "__main__":
    job = snakemake  # noqa: F821
    with log_to(job.log[0]):
        names = list(job.params.videos)
        run(
            files=[job.params.videos[name] for name in names],
            timelines=files_of(job.input.timelines, names),
            audio=files_of(job.input.audio, names),
            quarantine=Path(job.output.quarantine),
        )
