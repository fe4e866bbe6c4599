"""Stage I: adapt the vision encoder on still images; its MoE head is kept apart and not used later."""

import hashlib
import json
import logging
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
from frame_expressions.artifacts.text import write_json
from frame_expressions.artifacts.vocabulary import NUM_CLASSES
from frame_expressions.challenge.scores import validation_scores
from frame_expressions.corpora.image_sets import ImageSet, read_image_sets
from frame_expressions.encoders.loading import load_encoder, save_encoder
from frame_expressions.encoders.preprocessing import IMAGENET_MEAN, IMAGENET_STD
from frame_expressions.networks.device import start_torch
from frame_expressions.runtime.errors import InputError
from frame_expressions.runtime.job import log_to
from frame_expressions.runtime.tensorboard import TensorBoardLog, tensorboard_folder
from frame_expressions.stage1.augmentation import Augmentation
from frame_expressions.stage1.heads import make_head
from frame_expressions.stage1.layer_decay import freeze
from frame_expressions.stage1.padaug import PadAug
from frame_expressions.stage1.processes import run_in_processes
from frame_expressions.stage1.training import Classifier, ImageDataset, train

_DTYPES = {"no": "float32", "bf16": "bfloat16", "fp16": "float16"}
"""What accelerate's names of precisions stand for."""


def run(
    *,
    encoder: Path,
    image_sets: list[dict],
    holdout: dict,
    backbone: Path,
    head: Path,
    history: Path,
    metrics: Path,
    stored_px: int,
    image_px: int,
    frozen_embeddings: str,
    frozen_blocks: int,
    head_name: str,
    moe: dict,
    padaug: dict,
    augmentation: dict,
    training: dict,
    num_processes: int,
    num_workers: int,
    device: str,
    num_threads: int,
    curves: Path | None = None,
) -> None:
    """Train from `encoder` on the image sets and write the adapted backbone, the head and the scores.

    num_workers: processes that decode images, for each training process; the result does not depend on them.
    curves: where event files go, see `curves`.
    The checkpoint from which an interrupted run goes on lies beside `backbone` and is deleted at the end.
    """
    found = read_image_sets(image_sets, holdout)
    sets = {split: _of_split(found, split, stored_px) for split in ("train", "validation")}
    logging.info(
        "Stage I with the head %s in %d processes on %d training and %d validation images",
        head_name,
        num_processes,
        len(sets["train"]),
        len(sets["validation"]),
    )
    settings = {
        "stored_px": stored_px,
        "image_px": image_px,
        "frozen_embeddings": frozen_embeddings,
        "frozen_blocks": frozen_blocks,
        "head": head_name,
        "moe": moe,
        "padaug": padaug,
        "augmentation": augmentation,
        "training": training,
        "num_processes": num_processes,
        "image_sets": [{"layout": item["layout"], "name": item["name"]} for item in image_sets],
    }
    provenance = provenance_of(settings, [encoder / "model.safetensors"])
    run_in_processes(
        _fit,
        num_processes,
        num_threads,
        {
            "encoder": encoder,
            "sets": sets,
            "backbone": backbone,
            "head": head,
            "history": history,
            "metrics": metrics,
            "settings": settings,
            "provenance": provenance,
            "fingerprint": _fingerprint(provenance, sets, num_threads),
            "num_workers": num_workers,
            "device": device,
            "curves": curves,
        },
    )


def _fit(
    *,
    encoder: Path,
    sets: dict[str, ImageDataset],
    backbone: Path,
    head: Path,
    history: Path,
    metrics: Path,
    settings: dict,
    provenance: dict,
    fingerprint: str,
    num_workers: int,
    device: str,
    curves: Path | None,
    num_threads: int,
) -> None:
    """One process's part of the training; the first one writes."""
    device = start_torch(device, num_threads, _DTYPES[settings["training"]["precision"]])
    if device == "cuda" and torch.cuda.device_count() < settings["num_processes"]:
        raise InputError(
            (
                f"stage1.num_processes is {settings['num_processes']} but this machine has "
                f"{torch.cuda.device_count()} GPUs"
            ),
            "lower it, or set compute.device to cpu",
        )
    checkpoint = backbone.parent / ".checkpoint.pt"
    image_px, training = settings["image_px"], settings["training"]

    torch.manual_seed(training["seed"])
    network = load_encoder(encoder)
    freeze(network, embeddings=settings["frozen_embeddings"], num_blocks=settings["frozen_blocks"])
    model = Classifier(
        backbone=network,
        head=make_head(settings["head"], network.config.hidden_size, NUM_CLASSES, moe=settings["moe"]),
    )
    state = train(
        model,
        Augmentation(
            image_px=image_px,
            mean=IMAGENET_MEAN,
            std=IMAGENET_STD,
            padaug=PadAug(**settings["padaug"]),
            **settings["augmentation"],
        ),
        sets["train"],
        sets["validation"],
        num_classes=NUM_CLASSES,
        image_px=image_px,
        checkpoint=checkpoint,
        fingerprint=fingerprint,
        num_workers=num_workers,
        device=device,
        on_epoch_end=TensorBoardLog(curves).add if curves else None,
        **training,
    )
    if not PartialState().is_main_process:
        return

    save_encoder(network.cpu(), backbone)
    with atomic_write(head) as temporary:
        tensors = {name: tensor.cpu().contiguous() for name, tensor in model.head.state_dict().items()}
        save_file(tensors, temporary, metadata={"provenance": json.dumps(provenance, sort_keys=True)})
    write_parquet(pa.Table.from_pandas(pd.DataFrame(state.history), preserve_index=False), history, provenance)
    write_json(
        {
            "best_epoch": state.best_epoch,
            **validation_scores(sets["validation"].labels, state.best_predicted.numpy()),
            "num_train_images": len(sets["train"]),
            "num_val_images": len(sets["validation"]),
            "provenance": provenance,
        },
        metrics,
    )
    checkpoint.unlink(missing_ok=True)
    logging.info("made %s: best epoch %d, macro-F1 %.4f", backbone, state.best_epoch, state.best_macro_f1)


def _of_split(image_sets: list[ImageSet], split: str, stored_px: int) -> ImageDataset:
    """The images of one split of all sets, in the order of the sets."""
    chosen = [images.split == split for images in image_sets]
    paths = [
        path
        for images, mask in zip(image_sets, chosen, strict=True)
        for path, is_chosen in zip(images.paths, mask, strict=True)
        if is_chosen
    ]
    labels = [images.labels[mask] for images, mask in zip(image_sets, chosen, strict=True)]
    return ImageDataset(paths, np.concatenate(labels), stored_px)


def _fingerprint(provenance: dict, sets: dict[str, ImageDataset], num_threads: int) -> str:
    """What must be equal for a checkpoint to be taken up again."""
    digest = hashlib.sha256(json.dumps([provenance, num_threads], sort_keys=True).encode())
    for images in sets.values():
        digest.update("\n".join(path.name for path in images.paths).encode())
        digest.update(images.labels.tobytes())
    return digest.hexdigest()


if __name__ == "__main__":
    job = snakemake  # noqa: F821
    with log_to(job.log[0], on_little_memory="lower stage1.training.batch_size, or num_workers"):
        run(
            encoder=Path(job.input.encoder[0]).parent,
            image_sets=job.params.image_sets,
            holdout=job.params.holdout,
            backbone=Path(job.output.weights).parent,
            head=Path(job.output.head),
            history=Path(job.output.history),
            metrics=Path(job.output.metrics),
            stored_px=job.params.stored_px,
            image_px=job.params.image_px,
            frozen_embeddings=job.params.frozen_embeddings,
            frozen_blocks=job.params.frozen_blocks,
            head_name=job.params.head_name,
            moe=job.params.moe,
            padaug=job.params.padaug,
            augmentation=job.params.augmentation,
            training=job.params.training,
            num_processes=job.params.num_processes,
            num_workers=job.config["stage1"]["training"]["num_workers"],
            device=job.params.device,
            num_threads=job.params.num_threads,
            curves=tensorboard_folder(job.log[0]),
        )
