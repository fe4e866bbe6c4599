"""Whether the rows of the feature shards are those of the frames that they name."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from frame_expressions.artifacts.parquet import read_parquet
from frame_expressions.artifacts.text import write_json
from frame_expressions.encoders.audio import AudioFeatureSettings
from frame_expressions.encoders.loading import load_encoder, random_encoder, save_encoder
from frame_expressions.encoders.visual import VisualEncoder, VisualFeatureSettings
from tests.alignment.chain import SCALES, Files, Found
from workflow_scripts import dump_audio_features, dump_visual_features

IMAGE_PX = 28
VISION = {
    "model_type": "dinov2",
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "image_size": IMAGE_PX,
    "patch_size": 7,
}
WAV2VEC2 = {
    "model_type": "wav2vec2",
    "hidden_size": 16,
    "num_hidden_layers": 4,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "conv_dim": [16] * 7,
    "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 2,
}
SAMPLED = 5  # frames of a track that are embedded on their own


def check(tracks: Sequence[tuple[Files, Found]], folder: Path) -> None:
    """Dump one shard of all tracks and add what is wrong in it to each track's errors."""
    _check_visual(tracks, folder)
    _check_audio(tracks, folder)


def _check_visual(tracks: Sequence[tuple[Files, Found]], folder: Path) -> None:
    save_encoder(random_encoder(VISION, seed=0), folder / "vision")
    npy, index = folder / "features" / "visual.npy", folder / "features" / "visual.parquet"
    dump_visual_features.run(
        encoder=folder / "vision",
        tracks=[files.name for files, _ in tracks],
        crops=[files.crops for files, _ in tracks],
        subjects=[files.subjects for files, _ in tracks],
        features=npy,
        index=index,
        settings=VisualFeatureSettings(scales=SCALES, image_px=IMAGE_PX, batch_size=64, dtype="float32"),
        device="cpu",
        num_threads=1,
    )
    features, rows = np.load(npy), read_parquet(index).to_pandas()
    visual = VisualEncoder(
        encoder=load_encoder(folder / "vision"), image_px=IMAGE_PX, device="cpu", dtype=torch.float32
    )
    for files, found in tracks:
        own = rows[rows["track"] == files.name]
        timeline = read_parquet(files.timeline).to_pandas()
        found.expect(own["frame"].tolist() == timeline["frame"].tolist(), "features/visual lacks a frame")
        found.expect(own["time_s"].tolist() == timeline["time_s"].tolist(), "features/visual slips in time")
        found.expect(bool(own["present"].all()), "features/visual lacks a face")
        crops = read_parquet(files.crops).to_pandas()
        stored = features[own["row"]].astype(np.float32)
        for frame in np.linspace(1, crops["frame"].max(), SAMPLED).round().astype(int):
            (tokens,) = visual.embed([crops.loc[crops["frame"] == frame, "jpeg"].tolist()], 1)
            nearest = 1 + int(np.argmin(np.abs(stored - tokens.mean(axis=0)).max(axis=1)))
            found.expect(nearest == frame, f"features/visual holds frame {nearest} for frame {frame}")


def _check_audio(tracks: Sequence[tuple[Files, Found]], folder: Path) -> None:
    save_encoder(random_encoder(WAV2VEC2, seed=0), folder / "audio")
    extractor = {"feature_extractor_type": "Wav2Vec2FeatureExtractor", "sampling_rate": 16000, "do_normalize": True}
    write_json(extractor, folder / "audio" / "preprocessor_config.json")
    npy, index = folder / "features" / "audio.npy", folder / "features" / "audio.parquet"
    dump_audio_features.run(
        encoder=folder / "audio",
        tracks=[files.name for files, _ in tracks],
        audio=[files.audio for files, _ in tracks],
        windows=[files.audio_windows for files, _ in tracks],
        features=npy,
        index=index,
        settings=AudioFeatureSettings(
            layers="last2", normalise=True, mode="chunked", chunk_s=20, min_tail_s=1.0, dtype="float32"
        ),
        silence="missing",
        device="cpu",
        num_threads=1,
    )
    features, rows = np.load(npy), read_parquet(index).to_pandas()
    for files, found in tracks:
        own = rows[rows["track"] == files.name]
        windows = read_parquet(files.audio_windows).to_pandas()
        found.expect(own["frame"].tolist() == windows["frame"].tolist(), "features/audio lacks a frame")
        found.expect(own["present"].tolist() == windows["audible"].tolist(), "features/audio masks other frames")
        silent = features[own["row"][~own["present"]]]
        found.expect(not silent.any(), "features/audio holds something for a frame without audio")
