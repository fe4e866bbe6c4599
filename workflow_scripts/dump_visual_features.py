"""Embed the crops of one shard's tracks with the adapted encoder; a frame's feature is its scales' mean."""

import logging
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from workflow_scripts.lib.artifacts import made_by, read_parquet
from workflow_scripts.lib.compute import DTYPES, start_torch
from workflow_scripts.lib.corpora.batches import files_of
from workflow_scripts.lib.encoders.loading import load_encoder
from workflow_scripts.lib.encoders.visual import embed_crops, mean_over_scales
from workflow_scripts.lib.feature_shards import write_shard
from workflow_scripts.lib.job import log_to, progress

_SCALES = pa.list_(pa.float32())


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

    scales: those of the stored crops whose features are averaged; the others are left alone.
    """
    device = start_torch(device, num_threads)
    network = load_encoder(encoder).to(device)
    width = network.config.hidden_size
    logging.info("%s: crops of %d tracks in batches of %d, %s", features, len(tracks), batch_size, dtype)
    rows, parts = [np.zeros((0, width), np.float32)], []
    with ThreadPoolExecutor(num_threads) as decoders:
        for track, crop_file, subject_file in zip(tracks, crops, subjects, strict=True):
            subject = read_parquet(subject_file, columns=["time_s", "status"])
            num_frames = len(subject)
            stored = pq.ParquetFile(crop_file)
            batches = stored.iter_batches(batch_size, columns=["frame", "scale", "padded_share", "jpeg"])
            embedded, described = [np.zeros((0, width), np.float32)], [_no_crops(stored)]
            for batch in progress(batches, -(-stored.metadata.num_rows // batch_size), track, "batches"):
                batch = batch.filter(pc.is_in(batch["scale"], pa.array(scales, pa.float32())))
                if batch.num_rows == 0:
                    continue
                embedded.append(
                    embed_crops(
                        network,
                        batch["jpeg"].to_pylist(),
                        image_px=image_px,
                        device=device,
                        dtype=DTYPES[dtype],
                        decoders=decoders,
                    )
                )
                described.append(pa.Table.from_batches([batch.drop_columns(["jpeg"])]))
            crop = pa.concat_tables(described)
            frame = crop["frame"].to_numpy()
            mean, count = mean_over_scales(np.concatenate(embedded), frame, num_frames)
            padded = np.bincount(frame - 1, weights=crop["padded_share"].to_numpy(), minlength=num_frames)
            rows.append(mean)
            parts.append(
                pa.table(
                    {
                        "track": pa.repeat(track, num_frames),
                        "frame": np.arange(1, num_frames + 1, dtype=np.int32),
                        "time_s": subject["time_s"],
                        "present": count > 0,
                        "detected": pc.equal(subject["status"], "detected"),
                        "scales": pa.array(_by_frame(frame, crop["scale"].to_numpy(), num_frames), _SCALES),
                        "padded_share": (padded / np.maximum(count, 1)).astype(np.float32),
                    }
                )
            )
    index_rows = pa.concat_tables(parts)
    write_shard(
        features,
        index,
        np.concatenate(rows),
        {name: index_rows[name] for name in index_rows.column_names},
        made_by(
            {"image_px": image_px, "dtype": dtype, "scales": scales, "tracks": tracks},
            [encoder / "model.safetensors", *crops],
        ),
    )
    logging.info("made %s: %d frames", features, len(index_rows))


def _no_crops(stored: pq.ParquetFile) -> pa.Table:
    """A table of crops without rows and without their images, for a track that has none."""
    kept = [field for field in stored.schema_arrow if field.name in ("frame", "scale", "padded_share")]
    return pa.schema(kept).empty_table()


def _by_frame(frame: np.ndarray, scale: np.ndarray, num_frames: int) -> list[list[float]]:
    """The scales that are there for each frame; `frame` is 1-based and ascending."""
    bounds = np.searchsorted(frame, np.arange(1, num_frames + 2))
    return [scale[start:end].tolist() for start, end in pairwise(bounds)]


if __name__ == "__main__":
    job = snakemake  # noqa: F821
    with log_to(job.log[0]):
        run(
            encoder=Path(job.input.encoder).parent,
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
