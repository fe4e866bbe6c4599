"""Apply a fusion model to tracks it was not trained on: test tracks, or the validation tracks of an imported model."""

import logging
from pathlib import Path

from frame_expressions.artifacts.feature_shards import FeatureShards
from frame_expressions.artifacts.logits import write_logits
from frame_expressions.artifacts.provenance import provenance_of
from frame_expressions.corpora.folds import make_fold
from frame_expressions.corpora.labels import frame_labels
from frame_expressions.fusion.inference import DESCRIBED, describe_frames, presence, track_logits
from frame_expressions.fusion.missing import filling_of
from frame_expressions.fusion.model import FusionModel
from frame_expressions.networks.device import start_torch
from frame_expressions.runtime.job import log_to


def run(
    *,
    tracks: list[dict],
    visual: list[tuple[Path, Path]],
    audio: list[tuple[Path, Path]],
    model: Path,
    missing: str,
    logits: Path,
    num_threads: int,
) -> None:
    """Write the logits of every frame of `tracks`; for validation tracks, also the labels and columns of the frames.

    tracks: rows with track, split, annotation and label, all of one split. visual, audio: the shards' (npy, index)
    pairs. missing: the setting `fusion.missing.prediction`.
    """
    start_torch("cpu", num_threads)
    fusion = FusionModel.load(model)
    filling = filling_of(missing, fusion.settings["trained_on"])
    shards = {"visual": FeatureShards(visual, DESCRIBED), "audio": FeatureShards(audio)}
    logging.info("%s on %d tracks, incomplete frames: %s", model, len(tracks), filling)
    predicted = track_logits(fusion, shards, [row["track"] for row in tracks], filling)
    provenance = provenance_of(
        {"tracks": list(predicted), "filling": filling},
        [model, *(path for pair in [*visual, *audio] for path in pair)],
    )
    frames = presence(shards, predicted, filling)
    if tracks and tracks[0]["split"] == "validation":
        labels = {row["track"]: frame_labels(row, shards["visual"].column("time_s", [row["track"]])) for row in tracks}
        fold = make_fold("imported", {row["track"]: row["split"] for row in tracks})
        frames = describe_frames(shards, predicted, labels, fold, filling)
    write_logits(predicted, logits, provenance, frames)
    logging.info("made %s: %d frames", logits, sum(map(len, predicted.values())))


if __name__ == "__main__":
    job = snakemake  # noqa: F821
    with log_to(job.log[0]):
        run(
            tracks=job.params.tracks,
            visual=list(zip(map(Path, job.input.visual), map(Path, job.input.visual_index), strict=True)),
            audio=list(zip(map(Path, job.input.audio), map(Path, job.input.audio_index), strict=True)),
            model=Path(job.input.model),
            missing=job.params.missing,
            logits=Path(job.output.logits),
            num_threads=job.params.num_threads,
        )
