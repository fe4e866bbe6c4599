"""Stage II: train the gated fusion on one fold's training tracks; its best epoch is chosen on its selection tracks."""

import logging
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import torch

from frame_expressions.artifacts.feature_shards import FeatureShards
from frame_expressions.artifacts.logits import read_labelled_logits, write_logits
from frame_expressions.artifacts.parquet import write_parquet
from frame_expressions.artifacts.provenance import provenance_of
from frame_expressions.artifacts.text import write_json
from frame_expressions.artifacts.vocabulary import NUM_CLASSES
from frame_expressions.challenge.scores import validation_scores
from frame_expressions.corpora.folds import make_fold, read_parts
from frame_expressions.corpora.labels import frame_labels
from frame_expressions.fusion.inference import DESCRIBED, describe_frames, track_logits
from frame_expressions.fusion.model import FusionModel
from frame_expressions.fusion.training import Frames, train
from frame_expressions.networks.device import start_torch
from frame_expressions.runtime.job import log_to
from frame_expressions.runtime.tensorboard import TensorBoardLog, tensorboard_folder


def run(
    *,
    fold: str,
    tracks: list[dict],
    folds: Path | None,
    visual: list[tuple[Path, Path]],
    audio: list[tuple[Path, Path]],
    model: Path,
    val_logits: Path,
    history: Path,
    metrics: Path,
    head: str,
    head_settings: dict,
    training: dict,
    device: str,
    num_threads: int,
    curves: Path | None = None,
) -> None:
    """Train one fold and write the model, and the logits of the tracks that it is chosen or reported on.

    tracks: rows with track, split, annotation (path or empty) and label (class name or empty), the labelled ones.
    folds: the table of parts, for a fold of a cross-validation. visual, audio: the shards' (npy, index) pairs.
    curves: where event files go, see `curves`.
    """
    device = start_torch(device, num_threads, training["dtype"])
    shards = {"visual": FeatureShards(visual, DESCRIBED), "audio": FeatureShards(audio)}
    parts = read_parts(folds) if folds else None
    roles = make_fold(fold, {row["track"]: row["split"] for row in tracks}, parts)
    labels = {row["track"]: frame_labels(row, len(shards["visual"][row["track"]][0])) for row in tracks}
    frames = {role: _frames(shards, getattr(roles, role), labels) for role in ("train", "selection")}
    logging.info(
        "fusion %s, fold %s: %d training and %d selection frames",
        head,
        fold,
        *(len(part.labels) for part in frames.values()),
    )
    torch.manual_seed(training["seed"])
    fusion = FusionModel(
        num_visual=shards["visual"].num_features,
        num_audio=shards["audio"].num_features,
        num_classes=NUM_CLASSES,
        head=head,
        **head_settings,
    )
    on_epoch_end = TensorBoardLog(curves).add if curves else None
    settings = {"num_classes": NUM_CLASSES, "device": device, "on_epoch_end": on_epoch_end, **training}
    rows = train(fusion, frames["train"], frames["selection"], **settings)

    provenance = provenance_of(
        {"fold": fold, "head": head, "head_settings": head_settings, "training": training, "tracks": asdict(roles)},
        [path for pair in [*visual, *audio] for path in pair],
    )
    unseen = [row["track"] for row in tracks if row["track"] in {*roles.selection, *roles.heldout}]
    logits = track_logits(fusion, shards, unseen)
    fusion.save(model, provenance)
    write_logits(logits, val_logits, provenance, describe_frames(shards["visual"], logits, labels, roles))
    write_parquet(pa.Table.from_pandas(pd.DataFrame(rows), preserve_index=False), history, provenance)
    selection = read_labelled_logits(val_logits, "selection")
    predicted = np.concatenate([array.argmax(axis=1) for array in selection.logits.values()])
    scores = validation_scores(selection.labels, predicted)
    write_json(
        {
            "best_epoch": max(rows, key=lambda row: row["val_macro_f1"])["epoch"],
            **scores,
            "provenance": provenance,
        },
        metrics,
    )
    logging.info("made %s: macro-F1 %.4f on the selection tracks, before smoothing", model, scores["val_macro_f1"])


def _frames(shards: dict[str, FeatureShards], tracks: list[str], labels: dict[str, np.ndarray]) -> Frames:
    visual, visual_present = shards["visual"].stacked(tracks)
    audio, audio_present = shards["audio"].stacked(tracks)
    return Frames(
        visual=visual,
        audio=audio,
        visual_present=visual_present,
        audio_present=audio_present,
        labels=np.concatenate([np.zeros(0, np.int8), *(labels[track] for track in tracks)]),
    )


if __name__ == "__main__":
    job = snakemake  # noqa: F821
    with log_to(job.log[0], on_little_memory="lower fusion.training.batch_size"):
        run(
            fold=job.wildcards.fold,
            folds=Path(job.input.folds) if job.input.folds else None,
            tracks=job.params.tracks,
            visual=list(zip(map(Path, job.input.visual), map(Path, job.input.visual_index), strict=True)),
            audio=list(zip(map(Path, job.input.audio), map(Path, job.input.audio_index), strict=True)),
            model=Path(job.output.model),
            val_logits=Path(job.output.val_logits),
            history=Path(job.output.history),
            metrics=Path(job.output.metrics),
            head=job.params.head,
            head_settings=job.params.head_settings,
            training=job.params.training,
            device=job.params.device,
            num_threads=job.params.num_threads,
            curves=tensorboard_folder(job.log[0]),
        )
