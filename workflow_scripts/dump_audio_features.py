"""Embed the audio of one shard's tracks; a frame's feature is the mean over its window."""

import logging
from collections.abc import Iterator
from dataclasses import asdict
from itertools import accumulate, pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa

from frame_expressions.artifacts.batch_folders import files_of
from frame_expressions.artifacts.feature_shards import write_shard
from frame_expressions.artifacts.parquet import read_parquet
from frame_expressions.artifacts.provenance import provenance_of
from frame_expressions.artifacts.schemas import AUDIO_INDEX
from frame_expressions.encoders.audio import AudioFeatureSettings, embed_audio, load_audio_encoder
from frame_expressions.media.audio import open_audio, read_audio, read_recorded, state_of
from frame_expressions.media.audio_windows import frames_with_audio
from frame_expressions.networks.device import start_torch
from frame_expressions.runtime.job import log_to, progress


def run(
    *,
    encoder: Path,
    tracks: list[str],
    audio: list[Path],
    windows: list[Path],
    features: Path,
    index: Path,
    settings: AudioFeatureSettings,
    silence: str,
    device: str,
    num_threads: int,
) -> None:
    """Write one row per frame of each track's video, zeros for a frame that has no audio feature.

    silence: which frames have one, see `AudioSettings`.
    """
    device = start_torch(device, num_threads, settings.dtype)
    audio_encoder = load_audio_encoder(encoder, settings, device)
    logging.info(
        "%s: %s audio of %d tracks, layers %s, %s",
        features,
        settings.mode,
        len(tracks),
        settings.layers,
        settings.dtype,
    )
    tables = [read_parquet(path, columns=["frame", "start_sample", "end_sample", "audible"]) for path in windows]
    described = pa.concat_tables(tables)
    present = [_present(path, table, silence) for path, table in zip(audio, tables, strict=True)]
    values = embed_audio(
        audio_encoder,
        _recordings(audio, tables, present),
        settings,
        silence=silence,
        num_rows=len(described),
        num_threads=num_threads,
    )
    columns = {
        "track": pa.array(np.repeat(tracks, [len(table) for table in tables]), pa.string()),
        "frame": described["frame"],
        "present": np.concatenate(present),
    }
    made_with = asdict(settings) | {"silence": silence, "tracks": tracks}
    provenance = provenance_of(made_with, [encoder / "model.safetensors", *windows, *audio])
    write_shard(features, index, values, AUDIO_INDEX, columns, provenance)
    logging.info("made %s: %d frames", features, len(described))


def _present(audio: Path, table: pa.Table, silence: str) -> np.ndarray:
    """Which frames have an audio feature, bool [T]."""
    with open_audio(audio) as flac:
        return frames_with_audio(table["audible"].to_numpy(), state_of(flac), silence)


def _recordings(
    audio: list[Path], tables: list[pa.Table], present: list[np.ndarray]
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, tuple[int, int]]]:
    """Samples [N], windows [T, 2], their rows [T] in the shard and what was recorded, of each file with audio."""
    rows_of_tracks = pairwise(accumulate(map(len, tables), initial=0))
    units = zip(audio, tables, present, rows_of_tracks, strict=True)
    for path, table, has_audio, (start, _) in progress(units, len(tables), "embedding audio", "tracks"):
        wanted = np.flatnonzero(has_audio)
        if len(wanted):
            bounds = np.stack([table["start_sample"].to_numpy(), table["end_sample"].to_numpy()], axis=1)
            samples, _ = read_audio(path)
            yield samples, bounds[wanted], start + wanted, read_recorded(path)


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
            settings=AudioFeatureSettings(**job.params.features),
            silence=job.params.silence,
            device=job.params.device,
            num_threads=job.params.num_threads,
        )
