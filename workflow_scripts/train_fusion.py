"""Stage II: train the gated fusion on one fold's training tracks; its best epoch is chosen on its selection tracks."""

import logging
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import torch

from workflow_scripts.lib.artifacts import made_by, write_json, write_parquet
from workflow_scripts.lib.challenge.expressions import NUM_CLASSES
from workflow_scripts.lib.challenge.scores import validation_scores
from workflow_scripts.lib.compute import start_torch
from workflow_scripts.lib.corpora.folds import make_fold, read_parts
from workflow_scripts.lib.corpora.labels import frame_labels
from workflow_scripts.lib.feature_shards import FeatureShards
from workflow_scripts.lib.fusion.model import FusionModel
from workflow_scripts.lib.fusion.prediction import DESCRIBED, describe_frames, track_logits
from workflow_scripts.lib.fusion.training import Frames, train
from workflow_scripts.lib.logits import read_labelled_logits, write_logits
from workflow_scripts.lib.runtime.curves import Curves, curves_of
from workflow_scripts.lib.runtime.job import log_to


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
    expression = {row["track"]: frame_labels(row, len(shards["visual"][row["track"]][0])) for row in tracks}
    frames = {role: _frames(shards, getattr(roles, role), expression) for role in ("train", "selection")}
    logging.info(
        "fusion %s, fold %s: %d training and %d selection frames",
        head,
        fold,
        *(len(part.expression) for part in frames.values()),
    )
    torch.manual_seed(training["seed"])
    fusion = FusionModel(
        num_visual=shards["visual"].num_features,
        num_audio=shards["audio"].num_features,
        num_classes=NUM_CLASSES,
        head=head,
        **head_settings,
    )
    watch = Curves(curves).add if curves else None
    settings = {"num_classes": NUM_CLASSES, "device": device, "watch": watch, **training}
    rows = train(fusion, frames["train"], frames["selection"], **settings)

    provenance = made_by(
        {"fold": fold, "head": head, "head_settings": head_settings, "training": training, "tracks": asdict(roles)},
        [path for pair in [*visual, *audio] for path in pair],
    )
    unseen = [row["track"] for row in tracks if row["track"] in {*roles.selection, *roles.heldout}]
    logits = track_logits(fusion, shards, unseen)
    fusion.save(model, provenance)
    write_logits(logits, val_logits, provenance, describe_frames(shards["visual"], logits, expression, roles))
    write_parquet(pa.Table.from_pandas(pd.DataFrame(rows), preserve_index=False), history, provenance)
    selection = read_labelled_logits(val_logits, "selection")
    predicted = np.concatenate([array.argmax(axis=1) for array in selection.logits.values()])
    scores = validation_scores(selection.expression, predicted)
    write_json(
        {
            "best_epoch": max(rows, key=lambda row: row["val_macro_f1"])["epoch"],
            **scores,
            "made_by": provenance,
        },
        metrics,
    )
    logging.info("made %s: macro-F1 %.4f on the selection tracks, before smoothing", model, scores["val_macro_f1"])


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
            curves=curves_of(job.log[0]),
        )
