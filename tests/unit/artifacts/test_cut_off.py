"""Artifacts that are cut off or do not belong together: one sentence with the file and the remedy, never a result."""

import numpy as np
import pyarrow as pa
import pytest
import soundfile
import torch

from frame_expressions.artifacts.feature_shards import FeatureShards, write_shard
from frame_expressions.artifacts.parquet import parquet_batches, read_parquet, read_provenance, write_parquet
from frame_expressions.artifacts.provenance import provenance_of
from frame_expressions.artifacts.schemas import AUDIO_INDEX
from frame_expressions.artifacts.text import read_json, write_json, write_tsv
from frame_expressions.artifacts.vocabulary import AUDIBLE
from frame_expressions.corpora.folds import PART_COLUMNS, read_parts
from frame_expressions.corpora.tracks import Track, read_tracks, write_tracks
from frame_expressions.encoders.loading import (
    PREPROCESSOR,
    load_encoder,
    load_feature_extractor,
    random_encoder,
    save_encoder,
)
from frame_expressions.fusion.model import FusionModel
from frame_expressions.media.audio import read_audio, write_audio
from frame_expressions.media.film_writer import write_video
from frame_expressions.prediction.exported_model import ExportedModel
from frame_expressions.runtime.errors import InputError
from frame_expressions.smoothing.smoothing import Smoothing
from frame_expressions.stage1.checkpoint import Checkpoint

DINOV2 = {
    "model_type": "dinov2",
    "hidden_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "image_size": 28,
    "patch_size": 14,
}
WAV2VEC2 = {
    "model_type": "wav2vec2",
    "hidden_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 8,
    "conv_dim": [8],
    "conv_stride": [5],
    "conv_kernel": [10],
    "num_feat_extract_layers": 1,
    "num_conv_pos_embeddings": 4,
    "num_conv_pos_embedding_groups": 2,
}


def _fusion(num_visual=4):
    return FusionModel(
        head="gate",
        num_visual=num_visual,
        num_audio=4,
        num_classes=8,
        num_fused=4,
        visual_dropout=0.0,
        audio_dropout=0.0,
        dropout=0.0,
    )


def _shard(folder, name, num_features=4, num_rows=50):
    values = np.random.default_rng(0).normal(size=(num_rows, num_features))
    columns = {
        "track": pa.array([name] * num_rows),
        "frame": np.arange(1, num_rows + 1),
        "present": np.ones(num_rows, bool),
    }
    paths = folder / f"{name}.npy", folder / f"{name}.parquet"
    write_shard(*paths, values, AUDIO_INDEX, columns, provenance_of({}))
    return paths


def _parquet(folder):
    write_parquet(pa.table({"x": np.random.default_rng(0).normal(size=3000)}), folder / "t.parquet", provenance_of({}))
    return folder / "t.parquet"


def _timeline(folder):
    path = _parquet(folder)
    return path, lambda: read_parquet(path)


def _provenance(folder):
    path = _parquet(folder)
    return path, lambda: read_provenance(path)


def _batches(folder):
    path = _parquet(folder)
    return path, lambda: list(parquet_batches(path, 100, ["x"]))


def _features(folder):
    pair = _shard(folder, "t1")
    return pair[0], lambda: FeatureShards([pair])


def _index(folder):
    pair = _shard(folder, "t1")
    return pair[1], lambda: FeatureShards([pair])


def _fusion_model(folder):
    _fusion().save(folder / "model.safetensors", provenance_of({}))
    return folder / "model.safetensors", lambda: FusionModel.load(folder / "model.safetensors")


def _encoder_weights(folder):
    save_encoder(random_encoder(DINOV2, seed=0), folder / "encoder")
    return folder / "encoder/model.safetensors", lambda: load_encoder(folder / "encoder")


def _encoder_config(folder):
    path, read = _encoder_weights(folder)
    return path.with_name("config.json"), read


def _preprocessor(folder):
    save_encoder(random_encoder(WAV2VEC2, seed=0), folder)
    content = {"feature_extractor_type": "Wav2Vec2FeatureExtractor", "do_normalize": True, "sampling_rate": 16000}
    write_json(content, folder / PREPROCESSOR)
    return folder / PREPROCESSOR, lambda: load_feature_extractor(folder)


def _smoothing(folder):
    chosen = {"kind": "mean", "window_frames": 5, "windows_at_fps": None, "imputed": "include"}
    write_json(chosen, folder / "best.json")
    return folder / "best.json", lambda: Smoothing.read(folder / "best.json")


def _scores(folder):
    write_json({"macro_f1": 0.5, "folds": [1, 2, 3]}, folder / "scores.json")
    return folder / "scores.json", lambda: read_json(folder / "scores.json")


def _exported(folder):
    write_json({"model_type": "x", "settings": {}, "smoothing": {}, "fusion": []}, folder / "config.json")
    return folder / "config.json", lambda: ExportedModel.read(folder)


def _audio(folder):
    samples = (1000 * np.random.default_rng(0).normal(size=40_000)).astype(np.int16)
    write_audio(samples, AUDIBLE, folder / "a.flac", provenance_of({}))
    return folder / "a.flac", lambda: read_audio(folder / "a.flac")


def _film_audio(folder):
    path, _ = _audio(folder)
    frames = [(0.0, 1.0, np.zeros((16, 16, 3), np.uint8))]
    return path, lambda: write_video(folder / "film.mp4", frames, path)


def _tracks(folder):
    tracks = [Track(f"größe{n}", f"v{n}", f"videos/v{n}.mp4", "train", "", "", "", f"group{n}") for n in range(9)]
    write_tracks(tracks, folder / "tracks.tsv")
    return folder / "tracks.tsv", lambda: read_tracks(folder / "tracks.tsv")


def _parts(folder):
    write_tsv(PART_COLUMNS, [[f"t{n}", f"g{n}", f"1{n}", *range(8)] for n in range(9)], folder / "folds.tsv")
    return folder / "folds.tsv", lambda: read_parts(folder / "folds.tsv")


def _checkpoint(folder):
    torch.save({"fingerprint": "x", "weights": torch.zeros(200)}, folder / ".checkpoint.pt")
    return folder / ".checkpoint.pt", lambda: Checkpoint(folder / ".checkpoint.pt", "x").resume({})


ARTIFACTS = [
    _timeline,
    _provenance,
    _batches,
    _features,
    _index,
    _fusion_model,
    _encoder_weights,
    _encoder_config,
    _preprocessor,
    _smoothing,
    _scores,
    _exported,
    _audio,
    _film_audio,
    _tracks,
    _parts,
    _checkpoint,
]


@pytest.mark.parametrize("make", ARTIFACTS, ids=lambda make: make.__name__.strip("_"))
def test_an_artifact_that_is_cut_off_anywhere_is_named_with_the_remedy(tmp_path, make):
    path, read = make(tmp_path)
    content = path.read_bytes()
    size = len(content)
    anywhere = np.random.default_rng(0).integers(0, size, 6).tolist()
    for kept in {0, 1, 7, 8, 100, size // 4, size // 2, 3 * size // 4, size - 200, size - 8, size - 4, *anywhere}:
        if not 0 <= kept < size - 2:  # the last line's end is no loss
            continue
        if path.suffix == ".tsv" and content[:kept].endswith(b"\n"):  # looks whole
            continue
        path.write_bytes(content[:kept])
        with pytest.raises(InputError) as refused:
            read()
        sentence = str(refused.value)
        assert path.name in sentence or path.parent.name in sentence, (kept, sentence)
        assert "delete it" in sentence or "copy the model's folder again" in sentence, (kept, sentence)
        assert "\n" not in sentence
    assert not list(tmp_path.rglob("*.partial")) and not (tmp_path / "film.mp4").exists()


@pytest.mark.parametrize(
    "features", [np.zeros((50, 4)), np.zeros(50, np.float16), np.asfortranarray(np.zeros((50, 4), np.float16))]
)
def test_a_matrix_of_another_kind_is_refused(tmp_path, features):
    npy, index = _shard(tmp_path, "t1")
    np.save(npy, features)
    with pytest.raises(InputError, match=r"t1\.npy holds float.* instead of float16 rows; delete it"):
        FeatureShards([(npy, index)])


def test_shards_of_different_encoders_are_refused(tmp_path):
    shards = [_shard(tmp_path, "t1", num_features=4), _shard(tmp_path, "t2", num_features=6)]
    with pytest.raises(InputError, match=r"t2\.npy has 6 features per row but the shards before it have 4; delete"):
        FeatureShards(shards)


def test_a_fusion_model_whose_settings_are_of_another_is_refused(tmp_path):
    model = _fusion()
    model.settings = _fusion(num_visual=5).settings
    model.save(tmp_path / "model.safetensors", provenance_of({}))
    with pytest.raises(InputError, match=r"model\.safetensors holds settings and weights that do not belong together"):
        FusionModel.load(tmp_path / "model.safetensors")


def test_an_encoder_whose_configuration_is_of_another_is_refused(tmp_path):
    save_encoder(random_encoder(DINOV2, seed=0), tmp_path)
    larger = random_encoder(DINOV2 | {"hidden_size": 16}, seed=0).config
    (tmp_path / "config.json").write_text(larger.to_json_string())
    with pytest.raises(InputError, match=r"give the config\.json that belongs to these weights"):
        load_encoder(tmp_path)


def test_audio_from_another_program_is_rejected(tmp_path):
    with soundfile.SoundFile(tmp_path / "a.flac", "w", 16000, 1, "PCM_16", format="FLAC") as flac:
        flac.comment = "made elsewhere"
        flac.write(np.zeros(100, np.int16))
    with pytest.raises(InputError, match=r"a\.flac does not state whether it is audible; delete it"):
        read_audio(tmp_path / "a.flac")
