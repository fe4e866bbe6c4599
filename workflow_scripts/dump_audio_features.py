"""Embed the sound of one shard's tracks; a frame's feature is the mean over its window."""

import logging
from collections.abc import Iterator
from itertools import accumulate, pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa

from frame_expressions.artifacts.batch_folders import files_of
from frame_expressions.artifacts.feature_shards import write_shard
from frame_expressions.artifacts.parquet import read_parquet
from frame_expressions.artifacts.provenance import provenance_of
from frame_expressions.encoders.audio import AudioEncoder, Piece, chunks, single_windows, window_means
from frame_expressions.encoders.loading import load_encoder, load_feature_extractor
from frame_expressions.media.audio import SAMPLE_RATE, read_audio
from frame_expressions.networks.device import DTYPES, start_torch
from frame_expressions.runtime.job import log_to, progress


def run(
    *,
    encoder: Path,
    tracks: list[str],
    audio: list[Path],
    windows: list[Path],
    features: Path,
    index: Path,
    layers: str,
    normalise: bool,
    mode: str,
    chunk_s: float,
    dtype: str,
    device: str,
    num_threads: int,
) -> None:
    """Write one row per frame of each track's video, zeros where its window holds no sound.

    normalise: prepare the waveform as the checkpoint's feature extractor asks, rather than take it as it is.
    """
    device = start_torch(device, num_threads, dtype)
    network = load_encoder(encoder)
    audio_encoder = AudioEncoder(
        encoder=network,
        feature_extractor=load_feature_extractor(encoder) if normalise else None,
        layers=layers,
        device=device,
        dtype=DTYPES[dtype],
    )
    logging.info("%s: %s sound of %d tracks, layers %s, %s", features, mode, len(tracks), layers, dtype)
    tables = [read_parquet(path, columns=["frame", "start_sample", "end_sample", "audible"]) for path in windows]
    described = pa.concat_tables(tables)
    audible = described["audible"].to_numpy()
    bounds = np.stack([described["start_sample"].to_numpy(), described["end_sample"].to_numpy()], axis=1)

    def pieces() -> Iterator[Piece]:
        rows_of_tracks = pairwise(accumulate(map(len, tables), initial=0))
        units = zip(audio, rows_of_tracks, strict=True)
        for audio_file, (start, end) in progress(units, len(tracks), "embedding sound", "tracks"):
            rows = start + np.flatnonzero(audible[start:end])
            if len(rows):
                samples, _ = read_audio(audio_file)
                if mode == "chunked":
                    yield from chunks(samples, bounds[rows], rows, round(chunk_s * SAMPLE_RATE))
                else:
                    yield from single_windows(samples, bounds[rows], rows)

    values = window_means(audio_encoder, pieces(), len(described), num_threads)
    write_shard(
        features,
        index,
        values,
        {
            "track": pa.array(np.repeat(tracks, [len(table) for table in tables]), pa.string()),
            "frame": described["frame"],
            "present": described["audible"],
        },
        provenance_of(
            {
                "layers": layers,
                "normalise": normalise,
                "mode": mode,
                "chunk_s": chunk_s,
                "dtype": dtype,
                "tracks": tracks,
            },
            [encoder / "model.safetensors", *windows, *audio],
        ),
    )
    logging.info("made %s: %d frames", features, len(described))


if __name__ == "__main__":
    job = snakemake  # noqa: F821
    with log_to(job.log[0], on_little_memory="lower features.audio.chunk_s"):
        run(
            encoder=Path(job.input.encoder[0]).parent,
            tracks=job.params.tracks,
            audio=files_of(job.input.audio, job.params.videos),
            windows=files_of(job.input.windows, job.params.videos),
            features=Path(job.output.features),
            index=Path(job.output.index),
            layers=job.params.layers,
            normalise=job.params.normalise,
            mode=job.params.mode,
            chunk_s=job.params.chunk_s,
            dtype=job.params.dtype,
            device=job.params.device,
            num_threads=job.params.num_threads,
        )
