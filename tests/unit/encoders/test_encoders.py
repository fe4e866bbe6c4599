import io

import numpy as np
import pytest
import torch
from PIL import Image

from frame_expressions.encoders.audio import AudioEncoder, chunks, layer_indices, single_windows, window_means
from frame_expressions.encoders.dinov2_inference import ClassTokenBlock, GeluLinear, optimise_for_inference
from frame_expressions.encoders.loading import load_encoder, load_feature_extractor, random_encoder, save_encoder
from frame_expressions.encoders.preprocessing import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    UNREADABLE,
    centre_crop,
    decode,
    to_input,
)
from frame_expressions.encoders.visual import VisualEncoder, add_by_row, decode_crop
from frame_expressions.runtime.errors import InputError

VISUAL = {
    "model_type": "dinov2",
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 28,
    "patch_size": 14,
}
WAV2VEC2 = {
    "model_type": "wav2vec2",
    "hidden_size": 16,
    "num_hidden_layers": 5,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "conv_dim": [16] * 7,
    "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 2,
    "feat_extract_norm": "layer",
    "do_stable_layer_norm": True,
}


def test_input_is_the_normalised_middle():
    images = torch.zeros(1, 4, 4, 3, dtype=torch.uint8)
    images[0, 1:3, 1:3] = torch.tensor([255, 0, 51], dtype=torch.uint8)
    expected = [(value - m) / s for value, m, s in zip([1, 0, 0.2], IMAGENET_MEAN, IMAGENET_STD, strict=True)]
    found = to_input(images, 2)
    assert found.shape == (1, 3, 2, 2)
    for channel in range(3):
        assert found[0, channel].unique().tolist() == pytest.approx([expected[channel]], rel=1e-5)
    assert centre_crop(torch.arange(5).view(1, 1, 1, 5).expand(1, 1, 5, 5), 3)[0, 0, 0].tolist() == [1, 2, 3]


def _encoded(image, kind, **settings):
    stream = io.BytesIO()
    image.save(stream, kind, **settings)
    return stream.getvalue()


UPRIGHT = np.zeros((16, 32), np.uint8)
UPRIGHT[:8, :16] = 255
# By EXIF's number for where the first row and the first column of what is stored belong.
STORED = {
    1: UPRIGHT,  # top, left
    2: UPRIGHT[:, ::-1],  # top, right
    3: UPRIGHT[::-1, ::-1],  # bottom, right
    4: UPRIGHT[::-1],  # bottom, left
    5: UPRIGHT.T,  # left, top
    6: UPRIGHT.T[::-1],  # right, top
    7: UPRIGHT.T[::-1, ::-1],  # right, bottom
    8: UPRIGHT.T[:, ::-1],  # left, bottom
}


@pytest.mark.parametrize("orientation", STORED)
def test_a_photo_is_turned_as_its_camera_says(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    photo = Image.fromarray(np.ascontiguousarray(STORED[orientation])).convert("RGB")
    assert np.array_equal(decode(_encoded(photo, "PNG", exif=exif)), np.repeat(UPRIGHT[..., None], 3, axis=2))


@pytest.mark.filterwarnings("ignore:.*:UserWarning:PIL")
def test_damaged_exif_data_are_passed_over_or_make_a_photo_unreadable():
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "a maker of cameras"
    whole, rng = exif.tobytes(), np.random.default_rng(0)
    outcomes = set()
    for _ in range(1500):
        damaged = bytearray(whole)
        for place in rng.integers(6, len(whole), 3):
            damaged[place] = rng.integers(256)
        photo = _encoded(Image.new("RGB", (16, 8)), "JPEG", exif=bytes(damaged))
        try:
            outcomes.add(decode(photo).shape)
        except UNREADABLE:
            outcomes.add("unreadable")
    assert outcomes == {(8, 16, 3), (16, 8, 3), "unreadable"}


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_grey_of_16_bits_keeps_its_shades(kind):
    shades = np.arange(256, dtype=np.uint16).reshape(16, 16)
    found = decode(_encoded(Image.fromarray(shades * 257), kind))
    assert found.dtype == np.uint8 and np.array_equal(found, np.repeat(shades[..., None], 3, axis=2))


def test_crops_are_added_to_their_rows_wherever_a_batch_ends():
    features, rows = np.array([[1.0], [3.0], [10.0], [5.0], [7.0]], np.float32), np.array([0, 0, 2, 3, 3])
    for cut in range(6):
        totals = np.zeros((5, 1), np.float32)
        for part in (slice(0, cut), slice(cut, 5)):
            add_by_row(totals, features[part], rows[part])
        assert totals.ravel().tolist() == [4.0, 0.0, 10.0, 12.0, 0.0]


def test_the_same_seed_gives_the_same_weights_and_a_folder_gives_them_back(tmp_path):
    first, second = random_encoder(VISUAL, seed=1), random_encoder(VISUAL, seed=1)
    save_encoder(first, tmp_path / "encoder")
    assert sorted(path.name for path in (tmp_path / "encoder").iterdir()) == ["config.json", "model.safetensors"]
    loaded = load_encoder(tmp_path / "encoder").state_dict()
    for name, tensor in second.state_dict().items():
        assert torch.equal(tensor, loaded[name])
    other = random_encoder(VISUAL, seed=2).state_dict()
    assert any(not torch.equal(tensor, other[name]) for name, tensor in loaded.items())


def test_missing_weights_are_not_made_up(tmp_path):
    from safetensors.torch import load_file, save_file

    save_encoder(random_encoder(VISUAL, seed=1), tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    del tensors["layernorm.weight"]
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"lacks 1 weights of its architecture, layernorm\.weight"):
        load_encoder(tmp_path)
    with pytest.raises(InputError, match="cannot be loaded as a Hugging Face model"):
        load_encoder(tmp_path / "nowhere")


@pytest.mark.parametrize("stored", [torch.float16, torch.bfloat16])
def test_weights_in_half_precision_are_widened(tmp_path, stored):
    half = random_encoder(WAV2VEC2, seed=0).to(stored)
    save_encoder(half, tmp_path)
    loaded = load_encoder(tmp_path)
    weights = half.state_dict()
    assert all(torch.equal(tensor, weights[name].float()) for name, tensor in loaded.state_dict().items())
    assert {tensor.dtype for tensor in loaded.state_dict().values()} == {torch.float32}
    audio_encoder = AudioEncoder(
        encoder=loaded, feature_extractor=None, layers="last2", device="cpu", dtype=torch.float32
    )
    assert audio_encoder.hidden_states(np.ones(4000, np.float32)).dtype == np.float32


def test_an_unknown_architecture_is_named():
    with pytest.raises(InputError, match="dinov9"):
        random_encoder({"model_type": "dinov9"}, seed=0)


def _jpeg(seed, side=32):
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG")
    return stream.getvalue()


DEEPER = VISUAL | {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "initializer_range": 0.2}
LARGER = DEEPER | {"image_size": 70}  # positions of 5 x 5 patches, of which the crops have 2 x 2
VIT = {
    "model_type": "vit",
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "image_size": 28,
    "patch_size": 14,
}


def _network(architecture):
    """As transformers has it, with layer scales that are not all 1 and biases not all 0, as in random weights."""
    network = random_encoder(architecture, seed=0).eval()
    generator = torch.Generator().manual_seed(1)
    for name, tensor in network.state_dict().items():
        if name.endswith("lambda1"):
            tensor.uniform_(-0.8, 1.2, generator=generator)
        elif name.endswith("bias"):
            tensor.normal_(0.0, 0.2, generator=generator)
    return network


def _visual(architecture, dtype=torch.float32):
    return VisualEncoder(encoder=_network(architecture), image_px=28, device="cpu", dtype=dtype)


def _slowly(architecture, jpegs):
    """The class token of each crop alone, from the network as transformers has it."""
    encoder = _network(architecture)
    with torch.inference_mode():
        crops = [to_input(torch.tensor(decode(jpeg))[None], 28) for jpeg in jpegs]
        return np.concatenate([encoder(pixel_values=crop).last_hidden_state[:, 0].numpy() for crop in crops])


@pytest.mark.parametrize("architecture", [DEEPER, LARGER, DEEPER | {"use_swiglu_ffn": True}, VIT])
@pytest.mark.parametrize("sizes", [[1] * 7, [3, 4], [7], [2, 5]])
def test_class_tokens_are_the_plain_networks_whatever_the_batches(architecture, sizes):
    jpegs = [_jpeg(seed) for seed in range(7)]
    remaining = iter(jpegs)
    batches = [[next(remaining) for _ in range(size)] for size in sizes]
    found = list(_visual(architecture).embed(batches, 2))
    assert [len(part) for part in found] == sizes and all(part.dtype == np.float32 for part in found)
    assert np.abs(np.concatenate(found) - _slowly(architecture, jpegs)).max() < 1e-5


@pytest.mark.parametrize("architecture", [DEEPER, LARGER, VIT])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_class_tokens_in_half_precision_point_where_the_plain_networks_do(architecture, dtype):
    jpegs = [_jpeg(seed) for seed in range(5)]
    (found,) = _visual(architecture, dtype).embed([jpegs], 1)
    slowly = _slowly(architecture, jpegs)
    lengths = np.linalg.norm(found, axis=1) * np.linalg.norm(slowly, axis=1)
    assert ((found * slowly).sum(axis=1) / lengths).min() > 0.999
    assert not np.array_equal(found, slowly)


def test_the_number_of_threads_changes_no_bit():
    batches = [[_jpeg(seed), _jpeg(seed + 1)] for seed in range(6)]
    alone, together = (np.concatenate(list(_visual(DEEPER).embed(batches, threads))) for threads in (1, 4))
    assert np.array_equal(alone, together)


def test_what_a_gpu_would_run_points_where_the_plain_network_does():
    encoder = _network(LARGER)
    optimise_for_inference(encoder, 28, torch.device("cuda"), torch.bfloat16)
    assert sum(isinstance(module, GeluLinear) for module in encoder.modules()) == LARGER["num_hidden_layers"]
    jpegs = [_jpeg(seed) for seed in range(5)]
    crops = to_input(torch.tensor(np.stack([decode(jpeg) for jpeg in jpegs])), 28)
    with torch.inference_mode():
        found = encoder.to(torch.bfloat16)(pixel_values=crops.to(torch.bfloat16)).last_hidden_state[:, 0].float()
    assert torch.cosine_similarity(found, torch.from_numpy(_slowly(LARGER, jpegs))).min() > 0.999


def test_scales_stay_apart_where_their_products_with_weights_would_not_be_normal_numbers():
    scales = [name for name, _ in _visual(DEEPER, torch.float16).encoder.named_parameters() if "lambda1" in name]
    assert len(scales) == 2 * DEEPER["num_hidden_layers"]


def test_crops_are_decoded_to_the_same_pixels_as_images():
    crops = [_jpeg(seed, side) for seed, side in enumerate((28, 33, 224, 256))]
    assert all(np.array_equal(decode_crop(jpeg), decode(jpeg)) for jpeg in crops)
    with pytest.raises(InputError, match=r"^A crop is not a readable JPEG; delete its file in results/crops"):
        decode_crop(b"no picture")


def test_only_dinov2_is_shortened():
    assert isinstance(_visual(DEEPER).encoder.encoder.layer[-1], ClassTokenBlock)
    assert _visual(DEEPER, torch.bfloat16).encoder.config._attn_implementation == "by_crop"
    assert not any(isinstance(module, ClassTokenBlock) for module in _visual(VIT).encoder.modules())


@pytest.mark.parametrize("model_type", ["siglip_vision_model", "ijepa"])
def test_an_encoder_without_a_class_token_is_refused(model_type):
    with pytest.raises(InputError, match=r"^\w+ has no class token, .* choose an encoder with one"):
        _visual(VIT | {"model_type": model_type})


@pytest.mark.parametrize(
    "model_type", ["vit", "deit", "beit", "dinov2_with_registers", "dinov3_vit", "clip_vision_model"]
)
def test_every_family_with_a_class_token_is_taken(model_type):
    (found,) = _visual(VIT | {"model_type": model_type}).embed([[_jpeg(0), _jpeg(1)]], 1)
    assert found.shape == (2, 32) and np.isfinite(found).all()


def test_only_so_many_batches_are_read_before_they_are_needed():
    drawn = []
    batches = ([_jpeg(seed)] for seed in range(20) if drawn.append(seed) is None)
    features = _visual(VISUAL).embed(batches, 3)
    assert drawn == []
    next(features)
    assert len(drawn) == 4
    assert len(list(features)) == 19


def test_crops_that_are_too_small_are_refused():
    with pytest.raises(InputError, match="The crops are 16 px wide, but the encoder takes 28 px"):
        list(_visual(VISUAL).embed([[_jpeg(0)], [_jpeg(0, side=16)]], 2))


def test_layers_from_both_ends():
    assert layer_indices("last4", 12) == [9, 10, 11, 12]
    assert layer_indices("first4", 12) == [1, 2, 3, 4]
    with pytest.raises(InputError, match="4 transformer layers"):
        layer_indices("last5", 4)


@pytest.fixture(scope="module")
def audio_encoder():
    encoder = random_encoder(WAV2VEC2, seed=0).eval()
    return AudioEncoder(encoder=encoder, feature_extractor=None, layers="last2", device="cpu", dtype=torch.float32)


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
