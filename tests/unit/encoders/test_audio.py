import numpy as np
import pytest
import torch

from frame_expressions.encoders.audio import (
    AudioEncoder,
    AudioFeatureSettings,
    chunk_bounds,
    chunks,
    embed_audio,
    layer_indices,
    single_windows,
    window_means,
)
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
    for num_samples in (0, 1, 399, 400, 719, 720, 8000, 15_999, 16_001):
        steps = audio_encoder.hidden_states(np.zeros(num_samples, np.float32))
        assert audio_encoder.num_hidden(num_samples) == len(steps), num_samples


@pytest.mark.parametrize(
    ("num_samples", "bounds"),
    [
        (0, []),
        (500, [[0, 500]]),
        (20_000, [[0, 20_000]]),
        (20_999, [[0, 20_999]]),
        (21_000, [[0, 20_000], [20_000, 21_000]]),
        (40_000, [[0, 20_000], [20_000, 40_000]]),
        (40_001, [[0, 20_000], [20_000, 40_001]]),
        (40_999, [[0, 20_000], [20_000, 40_999]]),
        (41_000, [[0, 20_000], [20_000, 40_000], [40_000, 41_000]]),
    ],
)
def test_a_short_last_chunk_joins_the_one_before_it(num_samples, bounds):
    assert chunk_bounds(num_samples, 20_000, 1000).tolist() == bounds
    plain = [[start, min(start + 20_000, num_samples)] for start in range(0, num_samples, 20_000)]
    assert chunk_bounds(num_samples, 20_000, 0).tolist() == plain


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
    pieces = chunks(samples, windows, np.array([0, 2, 3, 5]), chunk_bounds(len(samples), chunk, 0))
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
    pieces = list(chunks(samples, windows, np.arange(4), chunk_bounds(100, 20, 0)))
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


def test_windows_that_are_equal_are_encoded_once():
    windows = np.array([[0, 4], [2, 6], [2, 6], [2, 6], [5, 9]])
    pieces = list(single_windows(np.arange(10, dtype=np.float32), windows, np.array([3, 4, 5, 7, 8])))
    assert [piece.samples.tolist() for piece in pieces] == [[0, 1, 2, 3], [2, 3, 4, 5], [5, 6, 7, 8]]
    assert [piece.rows.tolist() for piece in pieces] == [[3], [4, 5, 7], [8]]
    assert [piece.windows.tolist() for piece in pieces] == [[[0, 4]], [[0, 4]] * 3, [[0, 4]]]


def _embed(audio_encoder, samples, recorded, centres_s, half_s=0.5, silence="encoded", **changes):
    """Features of frames at some times, from chunks of 2 s: [T, D]."""
    settings = {"layers": "last2", "normalise": False, "mode": "chunked", "chunk_s": 2, "min_tail_s": 1.0}
    centre = np.round(np.array(centres_s) * 16_000).astype(np.int64)
    half = round(half_s * 16_000)
    return embed_audio(
        audio_encoder,
        [(samples, np.stack([centre - half, centre + half], axis=1), np.arange(len(centre)), recorded)],
        AudioFeatureSettings(**settings | {"dtype": "float32"} | changes),
        silence=silence,
        num_rows=len(centre),
        num_threads=1,
    )


def _as_published(audio_encoder, samples, centres_s, half_s=0.5, chunk=32_000, tail=16_000):
    """The slow reference: chunks as the authors cut them, the mean of each window's steps, or the nearest step."""
    starts = list(range(0, len(samples), chunk))
    if len(starts) > 1 and len(samples) - starts[-1] < tail:
        starts.pop()
    hidden, place_s = [], []
    for start, end in zip(starts, [*starts[1:], len(samples)], strict=True):
        hidden += list(audio_encoder.hidden_states(samples[start:end]))
        place_s += [(start + 200 + 320 * step) / 16_000 for step in range(len(hidden) - len(place_s))]
    features = []
    for centre_s in centres_s:
        inside = [step for step, at_s in enumerate(place_s) if centre_s - half_s <= at_s < centre_s + half_s]
        inside = inside or [min(range(len(place_s)), key=lambda step: abs(place_s[step] - centre_s))]
        features.append(np.mean([hidden[step] for step in inside], axis=0))
    return np.stack(features)


@pytest.mark.parametrize("rate", [25, 30_000 / 1001])
@pytest.mark.parametrize("half_s", [0.005, 0.25, 0.5])
def test_encoded_features_are_the_authors_also_where_the_recording_ends_3_s_early(audio_encoder, rate, half_s):
    samples = np.random.default_rng(0).normal(size=round(7.7 * 16_000)).astype(np.float32)
    samples[20_000:50_000] = 0  # more than a second of digital silence, encoded like any other sound
    samples[round(4.7 * 16_000) :] = 0
    recorded = samples[: round(4.7 * 16_000)]
    centres_s = (np.arange(int(7.7 * rate)) + 0.5) / rate
    found = _embed(audio_encoder, samples, (0, len(recorded)), centres_s, half_s)
    expected = _as_published(audio_encoder, recorded, centres_s, half_s)
    assert np.allclose(found, expected, atol=1e-5)
    last = audio_encoder.hidden_states(recorded[32_000:])[-1]  # 2.7 s: 0.7 s are too short for a chunk
    assert np.allclose(found[-1], last, atol=1e-5) and len(recorded) - 32_000 == round(2.7 * 16_000)
    if half_s == 0.5:
        missing = _embed(audio_encoder, samples, (0, len(recorded)), centres_s, half_s, silence="missing")
        assert np.abs(missing[-1] - found[-1]).max() > 1e-3  # the encoder hears the silence behind the recording


def test_encoded_features_of_a_recording_that_begins_late_at_a_variable_rate(audio_encoder):
    samples = np.random.default_rng(0).normal(size=5 * 16_000).astype(np.float32)
    samples[: 1600 * 13] = 0
    centres_s = np.array([0.05, 0.3, 0.79, 0.81, 1.2, 3.3, 3.31, 4.9])
    found = _embed(audio_encoder, samples, (1600 * 13, len(samples)), centres_s)
    assert np.allclose(found, _as_published(audio_encoder, samples[1600 * 13 :], centres_s - 1.3), atol=1e-5)
    assert np.allclose(found[:3], audio_encoder.hidden_states(samples[1600 * 13 :][:32_000])[0], atol=1e-5)


def test_the_mean_of_a_window_over_the_border_of_two_chunks_counts_each_step_once(audio_encoder):
    samples = np.random.default_rng(0).normal(size=4 * 16_000).astype(np.float32)
    (found,) = _embed(audio_encoder, samples, (0, len(samples)), [1.9], half_s=0.2)
    before, after = audio_encoder.hidden_states(samples[:32_000]), audio_encoder.hidden_states(samples[32_000:])
    # From 27,200 to 33,600: the steps at 27,400 (85), ..., 31,560 (98) of 99 and at 32,200, ..., 33,480 (5 of 99).
    assert len(before) == len(after) == 99
    assert np.allclose(found, np.concatenate([before[85:], after[:5]]).mean(axis=0), atol=1e-5)


def test_a_chunk_is_encoded_for_its_nearest_step_even_if_no_window_overlaps_it(audio_encoder):
    samples = np.random.default_rng(0).normal(size=4 * 16_000).astype(np.float32)
    found = _embed(audio_encoder, samples, (0, len(samples)), [0.5, 60.0])
    assert np.allclose(found[1], audio_encoder.hidden_states(samples[32_000:])[-1], atol=1e-5)


@pytest.mark.parametrize("mode", ["chunked", "windowed"])
@pytest.mark.parametrize(("num_samples", "recorded"), [(32_000, (0, 0)), (32_000, (500, 600)), (267, (0, 267))])
def test_encoded_audio_that_is_too_short_for_a_step_is_encoded_with_silence(audio_encoder, mode, num_samples, recorded):
    found = _embed(audio_encoder, np.zeros(num_samples, np.float32), recorded, [0.0], mode=mode)
    length = {"windowed": 16_000, "chunked": max(400, num_samples)}[mode]
    hidden = audio_encoder.hidden_states(np.zeros(length, np.float32))
    assert np.allclose(found[0], hidden[: 25 if length == 32_000 else None].mean(axis=0), atol=1e-5)


def test_encoded_windows_past_the_end_take_the_nearest_window_that_holds_samples(audio_encoder):
    samples = np.random.default_rng(0).normal(size=3 * 16_000).astype(np.float32)
    samples[16_000:] = 0
    found = _embed(audio_encoder, samples, (0, 16_000), [0.5, 1.0, 1.49, 1.5, 2.9], mode="windowed")
    alone = [audio_encoder.hidden_states(samples[start : start + 16_000]).mean(axis=0) for start in (0, 8000, 15_840)]
    assert np.allclose(found, [*alone, alone[2], alone[2]], atol=1e-5)


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
