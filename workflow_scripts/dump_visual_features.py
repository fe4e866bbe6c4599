"""Embed the crops of one shard's tracks with the adapted encoder; a frame's feature is its scales' mean."""

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from frame_expressions.artifacts.batch_folders import files_of
from frame_expressions.artifacts.feature_shards import write_shard
from frame_expressions.artifacts.parquet import parquet_batches, read_parquet
from frame_expressions.artifacts.provenance import provenance_of
from frame_expressions.encoders.loading import load_encoder
from frame_expressions.encoders.visual import VisualEncoder, add_by_row
from frame_expressions.networks.device import DTYPES, start_torch
from frame_expressions.runtime.job import log_to, progress

_READ_ROWS = 256  # of a crop file at a time


def run(
    *,
    encoder: Path,
    tracks: list[str],
    crops: list[Path],
    subjects: list[Path],
    features: Path,
    index: Path,
    scales: list[float],
    image_px: int,
    batch_size: int,
    dtype: str,
    device: str,
    num_threads: int,
) -> None:
    """Write one row per frame of each track's subject file, zeros where the frame has no crop.

    scales: those of the stored crops whose features are averaged; the others are left alone. A batch goes on from one
    track into the next.
    """
    device = start_torch(device, num_threads, dtype)
    network = load_encoder(encoder)
    visual = VisualEncoder(encoder=network, image_px=image_px, device=device, dtype=DTYPES[dtype])
    wanted = pa.array(scales, pa.float32())
    described = pa.concat_tables(
        [_describe(*track, wanted=wanted) for track in zip(tracks, crops, subjects, strict=True)]
    )
    count = pc.list_value_length(described["scales"]).to_numpy()
    logging.info(
        "%s: %d crops of %d tracks in batches of %d, %s", features, count.sum(), len(tracks), batch_size, dtype
    )
    jpegs = _jpegs(crops, wanted)
    batches = iter(lambda: list(islice(jpegs, batch_size)), [])
    rows = np.repeat(np.arange(len(described)), count)  # of each crop: files hold them frame by frame
    values = np.zeros((len(described), network.config.hidden_size), np.float32)
    with ThreadPoolExecutor(1) as beside:  # hashing the inputs takes as long as reading them
        settings = {"image_px": image_px, "dtype": dtype, "scales": scales, "tracks": tracks}
        provenance = beside.submit(provenance_of, settings, [encoder / "model.safetensors", *crops])
        num_batches = -(-len(rows) // batch_size)
        done = 0
        for tokens in progress(visual.embed(batches, num_threads), num_batches, "embedding crops", "batches"):
            add_by_row(values, tokens, rows[done : done + len(tokens)])
            done += len(tokens)
    values /= np.maximum(count, 1)[:, None]
    columns = {name: described[name] for name in described.column_names}
    write_shard(features, index, values, columns, provenance.result())
    logging.info("made %s: %d frames", features, len(described))


def _describe(track: str, crop_file: Path, subject_file: Path, wanted: pa.Array) -> pa.Table:
    """What the index says of a track's frames: rows in the order of the subject file."""
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
    """The crops of the scales that are wanted, file after file."""
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
            scales=job.params.scales,
            image_px=job.params.image_px,
            batch_size=job.params.batch_size,
            dtype=job.params.dtype,
            device=job.params.device,
            num_threads=job.params.num_threads,
        )
