import numpy as np
import pytest
import torch

from frame_expressions.encoders.preprocessing import decode
from frame_expressions.encoders.visual import add_by_row, decode_crop
from frame_expressions.runtime.errors import InputError
from tests.unit.encoders.networks import DEEPER, LARGER, VISUAL, VIT, noise_jpeg, plain_class_tokens, visual_encoder


def test_crops_are_added_to_their_rows_wherever_a_batch_ends():
    features, rows = np.array([[1.0], [3.0], [10.0], [5.0], [7.0]], np.float32), np.array([0, 0, 2, 3, 3])
    for cut in range(6):
        totals = np.zeros((5, 1), np.float32)
        for part in (slice(0, cut), slice(cut, 5)):
            add_by_row(totals, features[part], rows[part])
        assert totals.ravel().tolist() == [4.0, 0.0, 10.0, 12.0, 0.0]


@pytest.mark.parametrize("architecture", [DEEPER, LARGER, DEEPER | {"use_swiglu_ffn": True}, VIT])
@pytest.mark.parametrize("sizes", [[1] * 7, [3, 4], [7], [2, 5]])
def test_class_tokens_are_the_plain_networks_whatever_the_batches(architecture, sizes):
    jpegs = [noise_jpeg(seed) for seed in range(7)]
    remaining = iter(jpegs)
    batches = [[next(remaining) for _ in range(size)] for size in sizes]
    found = list(visual_encoder(architecture).embed(batches, 2))
    assert [len(part) for part in found] == sizes and all(part.dtype == np.float32 for part in found)
    assert np.abs(np.concatenate(found) - plain_class_tokens(architecture, jpegs)).max() < 1e-5


@pytest.mark.parametrize("architecture", [DEEPER, LARGER, VIT])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_class_tokens_in_half_precision_point_where_the_plain_networks_do(architecture, dtype):
    jpegs = [noise_jpeg(seed) for seed in range(5)]
    (found,) = visual_encoder(architecture, dtype).embed([jpegs], 1)
    slowly = plain_class_tokens(architecture, jpegs)
    lengths = np.linalg.norm(found, axis=1) * np.linalg.norm(slowly, axis=1)
    assert ((found * slowly).sum(axis=1) / lengths).min() > 0.999
    assert not np.array_equal(found, slowly)


def test_the_number_of_threads_changes_no_bit():
    batches = [[noise_jpeg(seed), noise_jpeg(seed + 1)] for seed in range(6)]
    alone, together = (np.concatenate(list(visual_encoder(DEEPER).embed(batches, threads))) for threads in (1, 4))
    assert np.array_equal(alone, together)


def test_crops_are_decoded_to_the_same_pixels_as_images():
    crops = [noise_jpeg(seed, side) for seed, side in enumerate((28, 33, 224, 256))]
    assert all(np.array_equal(decode_crop(jpeg), decode(jpeg)) for jpeg in crops)
    with pytest.raises(InputError, match=r"^A crop is not a readable JPEG; delete its file in results/crops"):
        decode_crop(b"not an image")


@pytest.mark.parametrize("model_type", ["siglip_vision_model", "ijepa"])
def test_an_encoder_without_a_class_token_is_refused(model_type):
    with pytest.raises(InputError, match=r"^\w+ has no class token, .* choose an encoder with one"):
        visual_encoder(VIT | {"model_type": model_type})


@pytest.mark.parametrize(
    "model_type", ["vit", "deit", "beit", "dinov2_with_registers", "dinov3_vit", "clip_vision_model"]
)
def test_every_family_with_a_class_token_is_taken(model_type):
    (found,) = visual_encoder(VIT | {"model_type": model_type}).embed([[noise_jpeg(0), noise_jpeg(1)]], 1)
    assert found.shape == (2, 32) and np.isfinite(found).all()


def test_only_so_many_batches_are_read_before_they_are_needed():
    drawn = []
    batches = ([noise_jpeg(seed)] for seed in range(20) if drawn.append(seed) is None)
    features = visual_encoder(VISUAL).embed(batches, 3)
    assert drawn == []
    next(features)
    assert len(drawn) == 4
    assert len(list(features)) == 19


def test_crops_that_are_too_small_are_refused():
    with pytest.raises(InputError, match="The crops are 16 px wide, but the encoder takes 28 px"):
        list(visual_encoder(VISUAL).embed([[noise_jpeg(0)], [noise_jpeg(0, side=16)]], 2))
