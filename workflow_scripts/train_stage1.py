"""Stage I: adapt the vision encoder on still images; the head is saved separately, and no later step uses it."""

import json
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import torch
from accelerate import PartialState
from safetensors.torch import save_file

from frame_expressions.artifacts.atomic import atomic_write
from frame_expressions.artifacts.parquet import write_parquet
from frame_expressions.artifacts.provenance import provenance_of
from frame_expressions.artifacts.schemas import STAGE1_HISTORY
from frame_expressions.artifacts.text import write_json
from frame_expressions.artifacts.vocabulary import NUM_CLASSES
from frame_expressions.challenge.scores import validation_scores
from frame_expressions.corpora.faulty_images import count_faults, read_faulty_images, without_faulty_images
from frame_expressions.corpora.image_sets import ImageSet, read_image_sets
from frame_expressions.encoders.loading import load_encoder, save_encoder
from frame_expressions.networks.device import start_torch
from frame_expressions.runtime.errors import InputError
from frame_expressions.runtime.job import log_to
from frame_expressions.runtime.tensorboard import TensorBoardLog, tensorboard_folder
from frame_expressions.stage1.augmentation import Augmentation
from frame_expressions.stage1.checkpoint import Checkpoint, TrainingState, fingerprint_of
from frame_expressions.stage1.dataset import ImageDataset, RandomCropDataset
from frame_expressions.stage1.heads import make_head
from frame_expressions.stage1.layer_decay import freeze
from frame_expressions.stage1.model import Classifier
from frame_expressions.stage1.padaug import PadAug
from frame_expressions.stage1.processes import run_in_processes
from frame_expressions.stage1.settings import Stage1Settings
from frame_expressions.stage1.training import Execution, train

_DTYPES = {"no": "float32", "bf16": "bfloat16", "fp16": "float16"}
"""accelerate's names of precisions, as dtypes."""


@dataclass(frozen=True)
class Outputs:
    """The files that Stage I writes; backbone is a folder."""

    backbone: Path
    head: Path
    history: Path
    metrics: Path


def run(
    *,
    encoder: Path,
    outputs: Outputs,
    settings: Stage1Settings,
    num_workers: int,
    device: str,
    num_threads: int,
    curves: Path | None = None,
    faulty_images: Path | None = None,
    on_bad_image: str = "skip",
) -> None:
    """Train from `encoder` on the image sets and write the adapted backbone, the head and the scores.

    num_workers: processes that decode images, for each training process; the result does not depend on them.
    curves: folder of event files for TensorBoard. The checkpoint from which an interrupted run resumes is next to the
    backbone, and is deleted at the end. faulty_images: the table of images to leave out; None if they were not checked.
    on_bad_image: if it is `stop`, such a table must be empty.
    """
    faulty = read_faulty_images(faulty_images)
    if faulty and on_bad_image == "stop":
        raise InputError(
            f"{faulty_images} lists {len(faulty)} images that were left out under execution.on_bad_image: skip, which "
            "is now stop",
            "delete it and run the same command again",
        )
    found = read_image_sets(settings.image_sets, settings.holdout)
    found = without_faulty_images(settings.image_sets, found, faulty)
    sets = {
        "train": RandomCropDataset(
            *_of_split(found, "train"), image_px=settings.image_px, crop_scale=settings.augmentation.crop_scale
        ),
        "validation": ImageDataset(*_of_split(found, "validation"), stored_px=settings.stored_px),
    }
    logging.info(
        "Stage I with the head %s in %d processes on %d training and %d validation images",
        settings.head,
        settings.num_processes,
        len(sets["train"]),
        len(sets["validation"]),
    )
    checked = [faulty_images] if faulty_images else []
    provenance = provenance_of(settings.as_provenance(), [encoder / "model.safetensors", *checked])
    fingerprint = fingerprint_of(provenance, sets.values(), num_threads)
    run_in_processes(
        _fit,
        settings.num_processes,
        num_threads,
        {
            "encoder": encoder,
            "sets": sets,
            "outputs": outputs,
            "settings": settings,
            "record": {"num_left_out": count_faults(faulty), "provenance": provenance},
            "checkpoint": Checkpoint(outputs.backbone.parent / ".checkpoint.pt", fingerprint),
            "num_workers": num_workers,
            "device": device,
            "curves": curves,
        },
    )


def _fit(
    *,
    encoder: Path,
    sets: dict[str, ImageDataset],
    outputs: Outputs,
    settings: Stage1Settings,
    record: dict,
    checkpoint: Checkpoint,
    num_workers: int,
    device: str,
    curves: Path | None,
    num_threads: int,
) -> None:
    """One process's part of the training; the first process writes. record: what metrics.json also holds."""
    device = start_torch(device, num_threads, _DTYPES[settings.training.precision])
    if device == "cuda" and torch.cuda.device_count() < settings.num_processes:
        raise InputError(
            f"stage1.num_processes is {settings.num_processes} but this machine has {torch.cuda.device_count()} GPUs",
            "lower it, or set compute.device to cpu",
        )
    torch.manual_seed(settings.training.seed)
    network = load_encoder(encoder)
    freeze(network, embeddings=settings.frozen_embeddings, num_blocks=settings.frozen_blocks)
    head = make_head(settings.head, network.config.hidden_size, NUM_CLASSES, moe=settings.moe)
    model = Classifier(backbone=network, head=head)
    state = train(
        model,
        Augmentation(settings.augmentation, PadAug(settings.padaug)),
        sets["train"],
        sets["validation"],
        settings.image_px,
        settings.training,
        Execution(device, num_workers, checkpoint, TensorBoardLog(curves).add if curves else None),
    )
    if PartialState().is_main_process:
        _write(model, state, sets, outputs, record)
        checkpoint.path.unlink(missing_ok=True)


def _write(
    model: Classifier, state: TrainingState, sets: dict[str, ImageDataset], outputs: Outputs, record: dict
) -> None:
    provenance = record["provenance"]
    save_encoder(model.backbone.cpu(), outputs.backbone)
    with atomic_write(outputs.head) as temporary:
        tensors = {name: tensor.cpu().contiguous() for name, tensor in model.head.state_dict().items()}
        save_file(tensors, temporary, metadata={"provenance": json.dumps(provenance, sort_keys=True)})
    history = pa.Table.from_pandas(pd.DataFrame(state.history), STAGE1_HISTORY, preserve_index=False)
    write_parquet(history, outputs.history, provenance)
    write_json(
        {
            "best_epoch": state.best_epoch,
            **validation_scores(sets["validation"].labels, state.best_predicted.numpy()),
            "num_train_images": len(sets["train"]),
            "num_val_images": len(sets["validation"]),
            **record,
        },
        outputs.metrics,
    )
    best = outputs.backbone, state.best_epoch, state.best_macro_f1
    logging.info("made %s: best epoch %d, macro-F1 %.4f", *best)


def _of_split(image_sets: list[ImageSet], split: str) -> tuple[list[Path], np.ndarray]:
    """The images of one split of all sets, in the order of the sets, and their classes."""
    chosen = [images.split == split for images in image_sets]
    paths = [
        path
        for images, mask in zip(image_sets, chosen, strict=True)
        for path, is_chosen in zip(images.paths, mask, strict=True)
        if is_chosen
    ]
    labels = [images.labels[mask] for images, mask in zip(image_sets, chosen, strict=True)]
    return paths, np.concatenate(labels)


if __name__ == "__main__":
    job = snakemake  # noqa: F821
    remedy = "lower stage1.training.batch_size, or execution.num_workers"
    with log_to(job.log[0], on_little_memory=remedy):
        run(
            encoder=Path(job.input.encoder[0]).parent,
            outputs=Outputs(
                backbone=Path(job.output.weights).parent,
                head=Path(job.output.head),
                history=Path(job.output.history),
                metrics=Path(job.output.metrics),
            ),
            settings=Stage1Settings.from_config(
                job.params.stage1, stored_px=job.params.stored_px, image_px=job.params.image_px
            ),
            num_workers=job.config["execution"]["num_workers"],
            device=job.params.device,
            num_threads=job.params.num_threads,
            curves=tensorboard_folder(job.log[0]),
            faulty_images=Path(job.input.faulty_images),
            on_bad_image=job.config["execution"]["on_bad_image"],
        )
