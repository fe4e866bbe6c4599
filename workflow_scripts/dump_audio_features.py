"""Embed the sound of one shard's tracks; a frame's feature is the mean over its window."""

import logging
from pathlib import Path

import numpy as np
import pyarrow as pa

from workflow_scripts.lib.artifacts import made_by, read_parquet
from workflow_scripts.lib.compute import DTYPES, start_torch
from workflow_scripts.lib.corpora.batches import files_of
from workflow_scripts.lib.encoders.loading import load_encoder, load_feature_extractor
from workflow_scripts.lib.encoders.speech import SpeechEncoder, chunked_features, windowed_features
from workflow_scripts.lib.feature_shards import write_shard
from workflow_scripts.lib.job import log_to, progress
from workflow_scripts.lib.media.audio import SAMPLE_RATE, read_audio


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
    device = start_torch(device, num_threads)
    network = load_encoder(encoder)
    speech = SpeechEncoder(
        encoder=network,
        feature_extractor=load_feature_extractor(encoder) if normalise else None,
        layers=layers,
        device=device,
        dtype=DTYPES[dtype],
    )
    logging.info("%s: %s sound of %d tracks, layers %s, %s", features, mode, len(tracks), layers, dtype)
    rows, frames, present, names = [], [], [], []
    units = zip(tracks, audio, windows, strict=True)
    for track, audio_file, window_file in progress(units, len(tracks), "embedding sound", "tracks"):
        table = read_parquet(window_file)
        bounds = np.stack([table["start_sample"].to_numpy(), table["end_sample"].to_numpy()], axis=1)
        has_sound = table["has_sound"].to_numpy(zero_copy_only=False).astype(bool)
        embedded = np.zeros((len(table), network.config.hidden_size), np.float32)
        if has_sound.any():
            samples, _ = read_audio(audio_file)
            if mode == "chunked":
                embedded = chunked_features(speech, samples, bounds, round(chunk_s * SAMPLE_RATE))
            else:
                embedded[has_sound] = windowed_features(speech, samples, bounds[has_sound])
        rows.append(np.where(has_sound[:, None], embedded, 0.0))
        frames.append(table["frame"].to_numpy())
        present.append(has_sound)
        names += [track] * len(table)
    write_shard(
        features,
        index,
        np.concatenate([np.zeros((0, network.config.hidden_size), np.float32), *rows]),
        {
            "track": pa.array(names, pa.string()),
            "frame": pa.array(np.concatenate([np.zeros(0, np.int32), *frames])),
            "present": pa.array(np.concatenate([np.zeros(0, bool), *present])),
        },
        made_by(
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
    logging.info("made %s: %d frames", features, len(names))


if __name__ == "__main__":
    job = snakemake  # noqa: F821
    with log_to(job.log[0]):
        run(
            encoder=Path(job.input.encoder).parent,
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
