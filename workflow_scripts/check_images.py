"""Check all images of Stage I before it trains, and list the faulty ones together."""

import logging
from pathlib import Path

from frame_expressions.corpora.faulty_images import (
    FaultyImage,
    count_faults,
    without_faulty_images,
    write_faulty_images,
)
from frame_expressions.corpora.image_sets import HoldoutSettings, read_image_sets
from frame_expressions.runtime.errors import InputError
from frame_expressions.runtime.job import log_to, print_result
from frame_expressions.stage1.image_check import find_faulty_images

MOST_SHOWN = 3


def run(
    *,
    image_sets: list[dict],
    holdout: HoldoutSettings,
    on_bad_image: str,
    table: Path,
    refused: Path,
    num_processes: int,
) -> None:
    """Write the table of the images that training leaves out.

    image_sets: as configured. on_bad_image: `stop` raises InputError if an image is faulty, and writes the list to
    `refused` instead, since Snakemake deletes the output of a job that fails; `skip` warns.
    """
    found = read_image_sets(image_sets, holdout)
    faulty = find_faulty_images(image_sets, found, num_processes)
    num_images = sum(len(images.paths) for images in found)
    if faulty and on_bad_image == "stop":
        write_faulty_images(faulty, refused)
        raise InputError(
            f"{_summary(faulty, num_images)}, such as {_examples(faulty)}, and {refused} lists all of them",
            "restore them or remove them from their image sets, or set execution.on_bad_image to skip",
        )
    if faulty:
        without_faulty_images(image_sets, found, faulty)  # raises if nothing is left to train on
        print_result(f"Warning: {_summary(faulty, num_images)}; Stage I leaves them out, and {table} lists them.")
    write_faulty_images(faulty, table)
    refused.unlink(missing_ok=True)
    logging.info("made %s: %d of %d images", table, len(faulty), num_images)


def _summary(faulty: list[FaultyImage], num_images: int) -> str:
    counts = ", ".join(f"{count} {fault}" for fault, count in count_faults(faulty).items())
    return f"{len(faulty)} of Stage I's {num_images} images are faulty ({counts})"


def _examples(faulty: list[FaultyImage]) -> str:
    """The first image of each fault, then others."""
    first = {row.fault: row for row in reversed(faulty)}.values()
    shown = [*sorted(first, key=faulty.index), *(row for row in faulty if row not in first)][:MOST_SHOWN]
    return ", ".join(f"{row.path} of {row.image_set} ({row.detail})" for row in shown)


if __name__ == "__main__":
    job = snakemake  # noqa: F821
    with log_to(job.log[0]):
        run(
            image_sets=job.params.image_sets,
            holdout=HoldoutSettings(**job.params.holdout),
            on_bad_image=job.config["execution"]["on_bad_image"],
            table=Path(job.output.table),
            refused=Path(job.params.refused),
            num_processes=job.threads,
        )
