"""Embed the crops of one shard's tracks with the adapted encoder; a frame's feature is its scales' mean."""

import logging
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from workflow_scripts.lib.artifacts import made_by
from workflow_scripts.lib.compute import DTYPES, start_torch
from workflow_scripts.lib.encoders.loading import load_encoder
from workflow_scripts.lib.encoders.visual import embed_crops, mean_over_scales
from workflow_scripts.lib.feature_shards import write_shard
from workflow_scripts.lib.job import log_to, progress


def run(
    *,
    encoder: Path,
    tracks: list[str],
    crops: list[Path],
    subjects: list[Path],
    features: Path,
    index: Path,
    image_px: int,
    batch_size: int,
    dtype: str,
    device: str,
    num_threads: int,
) -> None:
    """Write one row per frame of each track's subject file, zeros where the frame has no crop."""
    device = start_torch(device, num_threads)
    network = load_encoder(encoder).to(device)
    logging.info("%s: crops of %d tracks in batches of %d, %s", features, len(tracks), batch_size, dtype)
    rows, frames, scales, names = [], [], [], []
    with ThreadPoolExecutor(num_threads) as decoders:
        for track, crop_file, subject_file in zip(tracks, crops, subjects, strict=True):
            num_frames = pq.read_metadata(subject_file).num_rows
            embedded, frame, scale = [], [], []
            stored = pq.ParquetFile(crop_file)
            batches = stored.iter_batches(batch_size, columns=["frame", "scale", "jpeg"])
            for batch in progress(batches, -(-stored.metadata.num_rows // batch_size), track, "batches"):
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
                frame.append(batch["frame"].to_numpy())
                scale.append(batch["scale"].to_numpy())
            width = network.config.hidden_size
            frame = np.concatenate([np.zeros(0, np.int32), *frame])
            scale = np.concatenate([np.zeros(0, np.float32), *scale])
            mean, _ = mean_over_scales(np.concatenate([np.zeros((0, width), np.float32), *embedded]), frame, num_frames)
            rows.append(mean)
            frames.append(np.arange(1, num_frames + 1, dtype=np.int32))
            scales += _by_frame(frame, scale, num_frames)
            names += [track] * num_frames
    write_shard(
        features,
        index,
        np.concatenate([np.zeros((0, network.config.hidden_size), np.float32), *rows]),
        {
            "track": pa.array(names, pa.string()),
            "frame": pa.array(np.concatenate([np.zeros(0, np.int32), *frames])),
            "present": pa.array([len(there) > 0 for there in scales], pa.bool_()),
            "scales": pa.array(scales, pa.list_(pa.float32())),
        },
        made_by(
            {"image_px": image_px, "dtype": dtype, "tracks": tracks},
            [encoder / "model.safetensors", *crops],
        ),
    )
    logging.info("made %s: %d frames", features, len(names))


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
            crops=[Path(path) for path in job.input.crops],
            subjects=[Path(path) for path in job.input.subjects],
            features=Path(job.output.features),
            index=Path(job.output.index),
            image_px=job.params.image_px,
            batch_size=job.params.batch_size,
            dtype=job.params.dtype,
            device=job.params.device,
            num_threads=job.params.num_threads,
        )
