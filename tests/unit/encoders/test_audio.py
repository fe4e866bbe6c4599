import numpy as np
import pytest
import torch

from frame_expressions.encoders.audio import AudioEncoder, chunks, layer_indices, single_windows, window_means
from frame_expressions.encoders.loading import load_feature_extractor, random_encoder, save_encoder
from frame_expressions.runtime.errors import InputError
from tests.unit.encoders.networks import WAV2VEC2


@pytest.fixture(scope="module")
def audio_encoder():
    encoder = random_encoder(WAV2VEC2, seed=0).eval()
    return AudioEncoder(encoder=encoder, feature_extractor=None, layers="last2", device="cpu", dtype=torch.float32)


def test_layers_from_both_ends():
    assert layer_indices("last4", 12) == [9, 10, 11, 12]
    assert layer_indices("first4", 12) == [1, 2, 3, 4]
    with pytest.raises(InputError, match="4 transformer layers"):
        layer_indices("last5", 4)


def test_receptive_field_and_hidden_rate_of_wav2vec2(audio_encoder):
    assert (audio_encoder.stride, audio_encoder.receptive_field) == (320, 400)
    assert len(audio_encoder.hidden_states(np.zeros(399, np.float32))) == 0
    assert len(audio_encoder.hidden_states(np.zeros(16_000, np.float32))) == 49
    assert audio_encoder.centres(3).tolist() == [200, 520, 840]


def test_chosen_layers_are_averaged(audio_encoder):
    samples = np.random.default_rng(0).normal(size=4000).astype(np.float32)
    with torch.inference_mode():
        states = audio_encoder.encoder(torch.from_numpy(samples)[None], output_hidden_states=True).hidden_states
    expected = (states[4] + states[5])[0] / 2
    assert np.allclose(audio_encoder.hidden_states(samples), expected.numpy(), atol=1e-6)


@pytest.mark.parametrize("norm", [{}, {"feat_extract_norm": "group", "do_stable_layer_norm": False}])
@pytest.mark.parametrize("model_type", ["wav2vec2", "hubert", "wavlm"])
def test_the_first_layers_are_the_same_without_those_behind_them(model_type, norm):
    whole, cut = (random_encoder(WAV2VEC2 | norm | {"model_type": model_type}, seed=0).eval() for _ in range(2))
    encoder = AudioEncoder(encoder=cut, feature_extractor=None, layers="first2", device="cpu", dtype=torch.float32)
    assert len(cut.encoder.layers) == 2
    samples = np.random.default_rng(0).normal(size=4000).astype(np.float32)
    with torch.inference_mode():
        states = whole(torch.from_numpy(samples)[None], output_hidden_states=True).hidden_states
    assert len(states) == 6
    assert np.allclose(encoder.hidden_states(samples), (states[1] + states[2])[0].numpy() / 2, atol=1e-6)


@pytest.mark.parametrize("num_threads", [1, 3])
def test_chunked_features_average_the_hidden_frames_centred_in_each_window(audio_encoder, num_threads):
    samples = np.random.default_rng(0).normal(size=20_000).astype(np.float32)
    chunk = 8000
    hidden, centres = [], []
    for start in range(0, len(samples), chunk):
        part = audio_encoder.hidden_states(samples[start : start + chunk])
        hidden.append(part)
        centres.append(start + 200 + 320 * np.arange(len(part)))
    hidden, centres = np.concatenate(hidden), np.concatenate(centres)
    windows = np.array([[-4000, 4000], [3000, 12_000], [15_000, 30_000], [30_000, 40_000]])
    pieces = chunks(samples, windows, np.array([0, 2, 3, 5]), chunk)
    found = window_means(audio_encoder, pieces, 6, num_threads)
    assert not found[[1, 4]].any()
    found = found[[0, 2, 3, 5]]
    for (start, end), feature in zip(windows[:3], found[:3], strict=True):
        inside = (centres >= start) & (centres < end)
        assert np.allclose(feature, hidden[inside].mean(axis=0), atol=1e-5)
    assert not found[3].any()  # the window lies behind the recording


def test_chunks_that_no_window_reaches_into_are_left_out():
    samples = np.arange(100, dtype=np.float32)
    windows = np.array([[-5, 20], [20, 40], [35, 45], [90, 130]])
    pieces = list(chunks(samples, windows, np.arange(4), 20))
    assert [piece.samples[0] for piece in pieces] == [0, 20, 40, 80]
    assert [piece.rows.tolist() for piece in pieces] == [[0], [1, 2], [2], [3]]
    assert [piece.windows.tolist() for piece in pieces] == [[[-5, 20]], [[0, 20], [15, 25]], [[-5, 5]], [[10, 50]]]


def test_windowed_features_forward_each_window_alone_with_silence_outside(audio_encoder):
    samples = np.random.default_rng(0).normal(size=6000).astype(np.float32)
    windows = np.array([[1000, 5000], [-1000, 3000], [4000, 8000]])
    found = window_means(audio_encoder, single_windows(samples, windows, np.arange(3)), 3, 2)
    padded = np.concatenate([np.zeros(1000), samples, np.zeros(2000)]).astype(np.float32)
    for (start, end), feature in zip(windows, found, strict=True):
        expected = audio_encoder.hidden_states(padded[start + 1000 : end + 1000]).mean(axis=0)
        assert np.allclose(feature, expected, atol=1e-5)


def test_waveforms_are_normalised_as_the_checkpoint_asks(tmp_path, audio_encoder):
    from frame_expressions.artifacts.text import write_json

    write_json(
        {
            "feature_extractor_type": "Wav2Vec2FeatureExtractor",
            "feature_size": 1,
            "sampling_rate": 16000,
            "padding_value": 0.0,
            "do_normalize": True,
            "return_attention_mask": True,
        },
        tmp_path / "preprocessor_config.json",
    )
    save_encoder(audio_encoder.encoder, tmp_path)
    normalising = AudioEncoder(
        encoder=audio_encoder.encoder,
        feature_extractor=load_feature_extractor(tmp_path),
        layers="last2",
        device="cpu",
        dtype=torch.float32,
    )
    samples = np.random.default_rng(0).normal(size=4000).astype(np.float32)
    loud = normalising.hidden_states(samples)
    assert np.allclose(normalising.hidden_states(0.01 * samples + 0.3), loud, atol=1e-2)
    assert not np.allclose(audio_encoder.hidden_states(0.01 * samples), audio_encoder.hidden_states(samples), atol=1e-2)
