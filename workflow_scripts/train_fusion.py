"""Stage II: train the gated fusion on one fold's training tracks; its best epoch is chosen on its selection tracks."""

import logging
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import torch

from frame_expressions.artifacts.feature_shards import FeatureShards
from frame_expressions.artifacts.logits import read_labelled_logits, write_logits
from frame_expressions.artifacts.parquet import write_parquet
from frame_expressions.artifacts.provenance import provenance_of
from frame_expressions.artifacts.schemas import FUSION_HISTORY
from frame_expressions.artifacts.text import write_json
from frame_expressions.artifacts.vocabulary import NUM_CLASSES
from frame_expressions.challenge.scores import validation_scores
from frame_expressions.corpora.folds import make_fold, read_parts
from frame_expressions.corpora.labels import frame_labels
from frame_expressions.fusion.inference import DESCRIBED, describe_frames, track_logits
from frame_expressions.fusion.missing import filling_of
from frame_expressions.fusion.model import FusionModel
from frame_expressions.fusion.training import FusionSettings, train
from frame_expressions.fusion.training_data import Frames
from frame_expressions.networks.device import start_torch
from frame_expressions.runtime.job import log_to
from frame_expressions.runtime.tensorboard import TensorBoardLog, tensorboard_folder


@dataclass(frozen=True)
class Outputs:
    """The files that the training of a fold writes."""

    model: Path
    val_logits: Path
    history: Path
    metrics: Path


def run(
    *,
    fold: str,
    tracks: list[dict],
    folds: Path | None,
    visual: list[tuple[Path, Path]],
    audio: list[tuple[Path, Path]],
    outputs: Outputs,
    settings: FusionSettings,
    device: str,
    num_threads: int,
    curves: Path | None = None,
) -> None:
    """Train one fold and write the model, and the logits of its selection and held-out tracks.

    tracks: rows with track, split, annotation (path or empty) and label (class name or empty), the labelled ones.
    folds: the table of parts, for a fold of a cross-validation. visual, audio: the shards' (npy, index) pairs.
    curves: folder of event files for TensorBoard.
    """
    device = start_torch(device, num_threads, settings.training.dtype)
    shards = {"visual": FeatureShards(visual, DESCRIBED), "audio": FeatureShards(audio)}
    roles = make_fold(fold, {row["track"]: row["split"] for row in tracks}, read_parts(folds) if folds else None)
    labels = {row["track"]: frame_labels(row, shards["visual"].column("time_s", [row["track"]])) for row in tracks}
    frames = {role: _frames(shards, getattr(roles, role), labels) for role in ("train", "selection")}
    counts = [len(part.labels) for part in frames.values()]
    logging.info("fusion %s, fold %s: %d training and %d selection frames", settings.head, fold, *counts)
    torch.manual_seed(settings.training.seed)
    fusion = FusionModel(
        num_visual=shards["visual"].num_features,
        num_audio=shards["audio"].num_features,
        num_classes=NUM_CLASSES,
        head=settings.head,
        **asdict(settings.head_settings),
        trained_on=settings.missing.training,
    )
    on_epoch_end = TensorBoardLog(curves).add if curves else None
    rows = train(fusion, *frames.values(), settings.training, device=device, on_epoch_end=on_epoch_end)

    unseen = [row["track"] for row in tracks if row["track"] in {*roles.selection, *roles.heldout}]
    filling = filling_of(settings.missing.prediction, settings.missing.training)
    logits = track_logits(fusion, shards, unseen, filling)
    inputs = [path for pair in [*visual, *audio] for path in pair]
    provenance = provenance_of({"fold": fold, **asdict(settings), "tracks": asdict(roles)}, inputs)
    fusion.save(outputs.model, provenance)
    described = describe_frames(shards, logits, labels, roles, filling)
    write_logits(logits, outputs.val_logits, provenance, described)
    history = pa.Table.from_pandas(pd.DataFrame(rows), FUSION_HISTORY, preserve_index=False)
    write_parquet(history, outputs.history, provenance)
    score = _write_metrics(outputs, rows, provenance)
    logging.info("made %s: macro-F1 %.4f on the selection tracks, before smoothing", outputs.model, score)


def _write_metrics(outputs: Outputs, rows: list[dict], provenance: dict) -> float:
    """Write the scores of the selection tracks before smoothing; returns their macro-F1."""
    selection = read_labelled_logits(outputs.val_logits, "selection")
    predicted = np.concatenate([array.argmax(axis=1) for array in selection.logits.values()])
    scores = validation_scores(selection.labels, predicted)
    best_epoch = max(rows, key=lambda row: row["val_macro_f1"])["epoch"]
    write_json({"best_epoch": best_epoch, **scores, "provenance": provenance}, outputs.metrics)
    return scores["val_macro_f1"]


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
            folds=Path(job.input.folds[0]) if job.input.folds else None,
            tracks=job.params.tracks,
            visual=list(zip(map(Path, job.input.visual), map(Path, job.input.visual_index), strict=True)),
            audio=list(zip(map(Path, job.input.audio), map(Path, job.input.audio_index), strict=True)),
            outputs=Outputs(
                model=Path(job.output.model),
                val_logits=Path(job.output.val_logits),
                history=Path(job.output.history),
                metrics=Path(job.output.metrics),
            ),
            settings=FusionSettings.from_config(job.params.fusion),
            device=job.params.device,
            num_threads=job.params.num_threads,
            curves=tensorboard_folder(job.log[0]),
        )
