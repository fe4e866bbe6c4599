import numpy as np
import pyarrow as pa
import pytest

from frame_expressions.artifacts.parquet import read_parquet, read_provenance
from frame_expressions.artifacts.provenance import provenance_of
from frame_expressions.artifacts.text import write_json
from frame_expressions.encoders.audio import AudioFeatureSettings
from frame_expressions.encoders.loading import load_encoder, random_encoder, save_encoder
from frame_expressions.encoders.preprocessing import decode, to_input
from frame_expressions.encoders.visual import VisualFeatureSettings
from frame_expressions.media.audio import SAMPLE_RATE, write_audio
from workflow_scripts import dump_audio_features, dump_visual_features

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


def _cls(encoder, jpegs):
    import torch

    pixels = torch.from_numpy(np.stack([decode(jpeg) for jpeg in jpegs]))
    with torch.inference_mode():
        return encoder(pixel_values=to_input(pixels, 28)).last_hidden_state[:, 0].numpy()


def _dump(tmp_path, encoder, jpeg, table, scales, num_threads=1, **changes):
    """Shard of a track with gaps, a skipped video's, and one seen at one scale only: (frame, scale, padded, colour)."""
    settings = {"image_px": 28, "batch_size": 2, "dtype": "float32"} | changes
    crops = {
        "a": [(1, 0.9, 0.0, "red"), (1, 1.5, 0.2, "green"), (3, 1.5, 0.4, "blue")],
        "skipped": [],
        "b": [(1, 0.9, 0.0, "white")],
    }
    status = {"a": ["detected", "absent", "interpolated"], "skipped": [], "b": ["detected", "absent"]}
    schema = pa.schema(
        [("frame", pa.int32()), ("scale", pa.float32()), ("jpeg", pa.binary()), ("padded_share", pa.float32())]
    )
    files, subjects = [], []
    for track, rows in crops.items():
        frame, scale, padded, colour = zip(*rows, strict=True) if rows else ((),) * 4
        columns = {
            "frame": frame,
            "scale": scale,
            "jpeg": [jpeg(name) for name in colour],
            "padded_share": padded,
        }
        files.append(table(f"crops_{track}", columns, schema))
        time_s = np.arange(len(status[track])) / 30
        subjects.append(table(f"subject_{track}", {"time_s": time_s, "status": pa.array(status[track], pa.string())}))
    dump_visual_features.run(
        encoder=encoder,
        tracks=list(crops),
        crops=files,
        subjects=subjects,
        features=tmp_path / "train-000.npy",
        index=tmp_path / "train-000.parquet",
        settings=VisualFeatureSettings(scales=scales, **settings),
        device="cpu",
        num_threads=num_threads,
    )


def test_visual_rows_are_the_mean_over_the_scales_that_are_there(tmp_path, encoder, jpeg, table):
    _dump(tmp_path, encoder, jpeg, table, scales=[0.9, 1.5])
    index = read_parquet(tmp_path / "train-000.parquet").to_pydict()
    assert index["track"] == ["a", "a", "a", "b", "b"]
    assert index["frame"] == [1, 2, 3, 1, 2]
    assert index["row"] == [0, 1, 2, 3, 4]
    assert index["present"] == [True, False, True, True, False]
    assert [[round(scale, 1) for scale in scales] for scales in index["scales"]] == [
        [0.9, 1.5],
        [],
        [1.5],
        [0.9],
        [],
    ]
    assert index["detected"] == [True, False, False, True, False]
    assert index["padded_share"] == pytest.approx([0.1, 0.0, 0.4, 0.0, 0.0])
    features = np.load(tmp_path / "train-000.npy")
    assert features.dtype == np.float16 and features.shape == (5, 8)
    red, green, blue, white = _cls(load_encoder(encoder), [jpeg(c) for c in ("red", "green", "blue", "white")])
    assert np.allclose(features[0], (red + green) / 2, atol=2e-3)
    assert np.allclose(features[[2, 3]], [blue, white], atol=2e-3)
    assert not features[[1, 4]].any()


def test_a_single_scale_leaves_the_other_crops_alone(tmp_path, encoder, jpeg, table):
    _dump(tmp_path, encoder, jpeg, table, scales=[1.5])
    index = read_parquet(tmp_path / "train-000.parquet").to_pydict()
    assert index["present"] == [True, False, True, False, False]
    features = np.load(tmp_path / "train-000.npy")
    green, blue = _cls(load_encoder(encoder), [jpeg(colour) for colour in ("green", "blue")])
    assert np.allclose(features[[0, 2]], [green, blue], atol=2e-3)
    assert not features[[1, 3, 4]].any()


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 2e-3), ("bfloat16", 5e-2)])
@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_a_batch_that_goes_on_into_the_next_track_changes_nothing(
    tmp_path, encoder, jpeg, table, dtype, tolerance, batch_size
):
    _dump(tmp_path, encoder, jpeg, table, scales=[0.9, 1.5], dtype=dtype, batch_size=batch_size, num_threads=2)
    red, green, blue, white = _cls(load_encoder(encoder), [jpeg(c) for c in ("red", "green", "blue", "white")])
    features = np.load(tmp_path / "train-000.npy")
    absent = np.zeros(8)
    assert np.allclose(features, [(red + green) / 2, absent, blue, white, absent], atol=tolerance)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_same_crops_give_the_same_bytes(tmp_path, encoder, jpeg, table, dtype):
    written = []
    for _ in range(2):
        _dump(tmp_path, encoder, jpeg, table, scales=[0.9, 1.5], dtype=dtype)
        written.append([(tmp_path / f"train-000.{kind}").read_bytes() for kind in ("npy", "parquet")])
    assert written[0] == written[1]


def test_a_shard_whose_tracks_show_nobody_has_rows_all_the_same(tmp_path, encoder, jpeg, table):
    _dump(tmp_path, encoder, jpeg, table, scales=[1.2])
    index = read_parquet(tmp_path / "train-000.parquet").to_pydict()
    assert index["present"] == [False] * 5 and index["scales"] == [[]] * 5
    assert not np.load(tmp_path / "train-000.npy").any()


def _dump_audio(tmp_path, table, silence="missing", recorded=None, **changes):
    """Shard of a track with a silent window among three, and of one without audio; returns index and features."""
    save_encoder(random_encoder(WAV2VEC2, seed=0), tmp_path / "audio")
    write_json(
        {"feature_extractor_type": "Wav2Vec2FeatureExtractor", "sampling_rate": 16_000, "do_normalize": True},
        tmp_path / "audio" / "preprocessor_config.json",
    )
    rng = np.random.default_rng(0)
    audio = (rng.normal(size=3 * SAMPLE_RATE) * 300).astype(np.int16)
    write_audio(audio, "audible", tmp_path / "a.flac", provenance_of({}), recorded)
    write_audio(np.zeros(SAMPLE_RATE, np.int16), "no_audio", tmp_path / "b.flac", provenance_of({}))
    starts = np.array([0, 16_000, 32_000])
    windows = {
        "frame": pa.array([1, 2, 3], pa.int32()),
        "start_sample": starts,
        "end_sample": starts + 16_000,
        "audible": [True, False, True],
    }
    silent = {name: column[:1] for name, column in windows.items()} | {"audible": [False]}
    settings = {
        "layers": "last2",
        "normalise": True,
        "mode": "chunked",
        "chunk_s": 20,
        "min_tail_s": 1.0,
        "dtype": "float32",
    }
    settings |= changes
    dump_audio_features.run(
        encoder=tmp_path / "audio",
        tracks=["a", "b"],
        audio=[tmp_path / "a.flac", tmp_path / "b.flac"],
        windows=[table("wa", windows), table("wb", silent)],
        features=tmp_path / "test-000.npy",
        index=tmp_path / "test-000.parquet",
        settings=AudioFeatureSettings(**settings),
        silence=silence,
        device="cpu",
        num_threads=1,
    )
    return read_parquet(tmp_path / "test-000.parquet").to_pydict(), np.load(tmp_path / "test-000.npy")


@pytest.mark.parametrize("mode", ["chunked", "windowed"])
def test_audio_rows_follow_the_windows_and_silence_is_absent(tmp_path, table, mode):
    index, features = _dump_audio(tmp_path, table, mode=mode)
    assert (index["track"], index["frame"]) == (["a", "a", "a", "b"], [1, 2, 3, 1])
    assert index["present"] == [True, False, True, False]
    assert features.shape == (4, 16)
    assert not features[[1, 3]].any()
    assert features[0].any() and not np.array_equal(features[0], features[2])


@pytest.mark.parametrize("mode", ["chunked", "windowed"])
def test_silence_is_encoded_where_the_setting_says_so_but_not_for_a_track_without_audio(tmp_path, table, mode):
    _, missing = _dump_audio(tmp_path, table, mode=mode)
    index, features = _dump_audio(tmp_path, table, "encoded", mode=mode)
    assert index["present"] == [True, True, True, False]
    assert features[1].any() and not features[3].any()
    assert np.array_equal(features[[0, 2]], missing[[0, 2]])
    _, short = _dump_audio(tmp_path, table, "encoded", recorded=(0, 32_000), mode=mode)
    assert not np.array_equal(short[2], features[2])
    if mode == "windowed":
        assert np.array_equal(short[2], short[1])


def test_the_provenance_says_whether_silence_was_encoded(tmp_path, table):
    _dump_audio(tmp_path, table, "encoded")
    settings = read_provenance(tmp_path / "test-000.parquet")["settings"]
    assert (settings["silence"], settings["min_tail_s"]) == ("encoded", 1.0)


def test_a_waveform_is_left_as_it_is_where_the_settings_say_so(tmp_path, table):
    _, normalised = _dump_audio(tmp_path, table)
    _, plain = _dump_audio(tmp_path, table, normalise=False)
    assert not np.allclose(normalised[0], plain[0], atol=1e-2)
    _, first = _dump_audio(tmp_path, table, normalise=False, layers="first2")
    assert not np.allclose(first[0], plain[0], atol=1e-2)
