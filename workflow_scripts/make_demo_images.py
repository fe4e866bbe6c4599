"""Draw the face images of the demo for Stage I, in the layouts of AffectNet (csv release) and RAF-DB (basic)."""

import logging
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from frame_expressions.demo import drawn_image_sets as image_sets
from frame_expressions.runtime.job import log_to, progress


def run(
    *,
    affectnet_root: Path,
    rafdb_root: Path,
    seed: int,
    images: dict[str, float],
    num_processes: int,
) -> None:
    """Write both sets; the lists, which name the images, are written last.

    images: number of images of each class: affectnet_train_per_class, affectnet_validation_per_class,
    rafdb_train_per_class and rafdb_test_per_class. border_share: share of AffectNet's with a black border.
    """
    logging.info("drawing images in %s and %s with %s, seed %d", affectnet_root, rafdb_root, images, seed)
    affectnet_counts = {split: images[f"affectnet_{split}_per_class"] for split in ("train", "validation")}
    rafdb_counts = {"train": images["rafdb_train_per_class"], "validation": images["rafdb_test_per_class"]}
    affectnet = image_sets.plan_batches(affectnet_counts, image_sets.AFFECTNET_IDS, seed, image_sets.AFFECTNET_UNUSABLE)
    rafdb = image_sets.plan_batches(rafdb_counts, image_sets.RAFDB_IDS, seed)
    rows = {"train": [], "validation": []}
    lines = []
    with ProcessPoolExecutor(num_processes, mp_context=multiprocessing.get_context("fork")) as pool:
        write_batch = partial(
            image_sets.write_affectnet_batch, root=affectnet_root, seed=seed, border_share=images["border_share"]
        )
        drawn = pool.map(write_batch, affectnet)
        for batch, batch_rows in zip(affectnet, progress(drawn, len(affectnet), "AffectNet", "batches"), strict=True):
            rows[batch.split] += batch_rows
        drawn = pool.map(partial(image_sets.write_rafdb_batch, root=rafdb_root, seed=seed), rafdb)
        for batch_lines in progress(drawn, len(rafdb), "RAF-DB", "batches"):
            lines += batch_lines
    image_sets.write_affectnet_lists(rows, affectnet_root)
    image_sets.write_rafdb_list(lines, rafdb_root)
    logging.info("drew %d and %d images", sum(map(len, rows.values())), len(lines))


if __name__ == "__main__":
    job = snakemake  # noqa: F821
    with log_to(job.log[0]):
        run(
            affectnet_root=Path(job.params.affectnet_root),
            rafdb_root=Path(job.params.rafdb_root),
            seed=job.params.seed,
            images=job.params.images,
            num_processes=job.threads,
        )
