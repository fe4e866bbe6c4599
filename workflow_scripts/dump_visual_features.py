"""Embed the crops of one shard's tracks with the adapted encoder; a frame's feature is the mean over its scales."""

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from frame_expressions.artifacts.batch_folders import files_of
from frame_expressions.artifacts.feature_shards import write_shard
from frame_expressions.artifacts.parquet import parquet_batches, read_parquet
from frame_expressions.artifacts.provenance import provenance_of
from frame_expressions.artifacts.schemas import VISUAL_INDEX
from frame_expressions.encoders.visual import VisualFeatureSettings, embed_crops, load_visual_encoder
from frame_expressions.networks.device import start_torch
from frame_expressions.runtime.job import log_to

_READ_ROWS = 256  # of a crop file at a time


def run(
    *,
    encoder: Path,
    tracks: list[str],
    crops: list[Path],
    subjects: list[Path],
    features: Path,
    index: Path,
    settings: VisualFeatureSettings,
    device: str,
    num_threads: int,
) -> None:
    """Write one row per frame of each track's subject file, zeros for a frame without crops.

    Stored crops at scales other than `settings.scales` are ignored.
    """
    device = start_torch(device, num_threads, settings.dtype)
    visual_encoder = load_visual_encoder(encoder, settings, device)
    wanted = pa.array(settings.scales, pa.float32())
    described = pa.concat_tables(
        [_describe(*track, wanted=wanted) for track in zip(tracks, crops, subjects, strict=True)]
    )
    count = pc.list_value_length(described["scales"]).to_numpy()
    logging.info(
        "%s: %d crops of %d tracks in batches of %d, %s",
        features,
        count.sum(),
        len(tracks),
        settings.batch_size,
        settings.dtype,
    )
    with ThreadPoolExecutor(1) as hashing:  # hashing the inputs takes as long as reading them
        provenance = hashing.submit(
            provenance_of, asdict(settings) | {"tracks": tracks}, [encoder / "model.safetensors", *crops]
        )
        values = embed_crops(
            visual_encoder,
            _jpegs(crops, wanted),
            np.repeat(np.arange(len(described)), count),  # crop files are ordered by frame
            num_rows=len(described),
            batch_size=settings.batch_size,
            num_threads=num_threads,
        )
    columns = {name: described[name] for name in described.column_names}
    write_shard(features, index, values, VISUAL_INDEX, columns, provenance.result())
    logging.info("made %s: %d frames", features, len(described))


def _describe(track: str, crop_file: Path, subject_file: Path, wanted: pa.Array) -> pa.Table:
    """The columns of the shard's index for one track, in the row order of its subject file."""
    subject = read_parquet(subject_file, columns=["time_s", "status"])
    crop = read_parquet(crop_file, columns=["frame", "scale", "padded_share"])
    crop = crop.filter(pc.is_in(crop["scale"], wanted))
    num_frames, row = len(subject), crop["frame"].to_numpy() - 1
    count = np.bincount(row, minlength=num_frames)
    padded = np.bincount(row, weights=crop["padded_share"].to_numpy(), minlength=num_frames)
    bounds = np.concatenate([[0], np.cumsum(count)]).astype(np.int32)
    return pa.table(
        {
            "track": pa.repeat(track, num_frames),
            "frame": np.arange(1, num_frames + 1, dtype=np.int32),
            "time_s": subject["time_s"],
            "present": count > 0,
            "detected": pc.equal(subject["status"], "detected"),
            "scales": pa.ListArray.from_arrays(bounds, crop["scale"].combine_chunks()),
            "padded_share": (padded / np.maximum(count, 1)).astype(np.float32),
        }
    )


def _jpegs(crop_files: list[Path], wanted: pa.Array) -> Iterator[bytes]:
    """The crops at the requested scales, file after file."""
    for path in crop_files:
        for batch in parquet_batches(path, _READ_ROWS, columns=["scale", "jpeg"]):
            yield from batch.filter(pc.is_in(batch["scale"], wanted))["jpeg"].to_pylist()


if __name__ == "__main__":
    job = snakemake  # noqa: F821
    with log_to(job.log[0], on_little_memory="lower features.visual.batch_size"):
        run(
            encoder=Path(job.input.encoder[0]).parent,
            tracks=job.params.tracks,
            crops=files_of(job.input.crops, job.params.tracks),
            subjects=files_of(job.input.subjects, job.params.tracks),
            features=Path(job.output.features),
            index=Path(job.output.index),
            settings=VisualFeatureSettings(
                scales=job.params.scales, image_px=job.params.image_px, **job.params.features
            ),
            device=job.params.device,
            num_threads=job.params.num_threads,
        )
