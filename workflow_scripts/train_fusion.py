"""Stage II: train the gated fusion on one fold's training tracks, chosen by its validation tracks."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import torch

from workflow_scripts.lib.artifacts import made_by, write_json, write_parquet
from workflow_scripts.lib.challenge.alignment import labels_for_frames
from workflow_scripts.lib.challenge.annotations import read_annotation
from workflow_scripts.lib.challenge.expressions import EXPRESSIONS, NUM_CLASSES
from workflow_scripts.lib.challenge.scores import validation_scores
from workflow_scripts.lib.compute import start_torch
from workflow_scripts.lib.feature_shards import FeatureShards
from workflow_scripts.lib.fusion.model import FusionModel
from workflow_scripts.lib.fusion.prediction import track_logits
from workflow_scripts.lib.fusion.training import Frames, train
from workflow_scripts.lib.job import log_to
from workflow_scripts.lib.logits import write_logits


def run(
    *,
    tracks: list[dict],
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
) -> None:
    """Train on the tracks whose split is `train` and write the model and the validation tracks' logits.

    `tracks` are rows with track, split, annotation (path or empty) and label (class name or empty); `visual` and
    `audio` are the shards' (npy, index) pairs.
    """
    device = start_torch(device, num_threads)
    shards = {"visual": FeatureShards(visual), "audio": FeatureShards(audio)}
    names = {split: [row["track"] for row in tracks if row["split"] == split] for split in ("train", "validation")}
    expression = {row["track"]: _expression(row, len(shards["visual"][row["track"]][0])) for row in tracks}
    frames = {split: _frames(shards, names[split], expression) for split in names}
    logging.info(
        "fusion %s on %d training and %d validation frames",
        head,
        *(len(frames[split].expression) for split in ("train", "validation")),
    )
    torch.manual_seed(training["seed"])
    fusion = FusionModel(
        num_visual=shards["visual"].num_features,
        num_audio=shards["audio"].num_features,
        num_classes=NUM_CLASSES,
        head=head,
        **head_settings,
    )
    rows = train(fusion, frames["train"], frames["validation"], num_classes=NUM_CLASSES, device=device, **training)

    provenance = made_by(
        {"head": head, "head_settings": head_settings, "training": training, "tracks": names},
        [path for pair in [*visual, *audio] for path in pair],
    )
    logits = track_logits(fusion, shards, names["validation"])
    truth = np.concatenate([expression[track] for track in names["validation"]])
    predicted = np.concatenate([logits[track].argmax(axis=1) for track in names["validation"]])
    scores = validation_scores(truth, predicted)
    fusion.save(model, provenance)
    write_logits(logits, val_logits, provenance, expression=truth)
    write_parquet(pa.Table.from_pandas(pd.DataFrame(rows), preserve_index=False), history, provenance)
    write_json(
        {
            "best_epoch": max(rows, key=lambda row: row["val_macro_f1"])["epoch"],
            **scores,
            "made_by": provenance,
        },
        metrics,
    )
    logging.info("made %s: validation macro-F1 %.4f before smoothing", model, scores["val_macro_f1"])


def _expression(row: dict, num_frames: int) -> np.ndarray:
    """The class of each of a track's frames: int8 [T], -1 unlabelled."""
    if num_frames == 0:
        return np.zeros(0, np.int8)
    if not row["annotation"]:
        return np.full(num_frames, EXPRESSIONS.index(row["label"]), np.int8)
    return labels_for_frames(read_annotation(Path(row["annotation"])), num_frames, row["track"])


def _frames(shards: dict[str, FeatureShards], tracks: list[str], expression: dict[str, np.ndarray]) -> Frames:
    visual, visual_present = shards["visual"].stacked(tracks)
    audio, audio_present = shards["audio"].stacked(tracks)
    return Frames(
        visual=visual,
        audio=audio,
        visual_present=visual_present,
        audio_present=audio_present,
        expression=np.concatenate([np.zeros(0, np.int8), *(expression[track] for track in tracks)]),
    )


if __name__ == "__main__":
    job = snakemake  # noqa: F821
    with log_to(job.log[0]):
        run(
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
        )
