"""What a GPU computes is what the processor does in float32: these tests are skipped where there is none."""

import numpy as np
import pytest
import torch
from accelerate.state import AcceleratorState

from frame_expressions.encoders.audio import AudioEncoder, chunks, window_means
from frame_expressions.encoders.loading import random_encoder
from frame_expressions.encoders.visual import VisualEncoder
from frame_expressions.fusion import training
from frame_expressions.networks.device import on_own_stream
from tests.unit.encoders.networks import LARGER, VIT, WAV2VEC2, noise_jpeg, plain_network
from tests.unit.fusion.test_training import TRAINING, _frames, _model
from tests.unit.stage1.test_training import _train, images  # noqa: F401

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no GPU here")


@pytest.fixture
def fresh_accelerator():
    """A process keeps its first device and precision, and other tests have others."""
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


def _least_cosine(found, wanted):
    return torch.cosine_similarity(torch.from_numpy(found), torch.from_numpy(wanted)).min()


@pytest.mark.parametrize("architecture", [LARGER, VIT])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_class_tokens(architecture, dtype):
    batches = [
        [noise_jpeg(number) for number in range(start, start + size)] for start, size in ((0, 3), (3, 3), (6, 1))
    ]
    features = []
    for device, precision in (("cpu", torch.float32), ("cuda", dtype)):
        encoder = VisualEncoder(encoder=plain_network(architecture), image_px=28, device=device, dtype=precision)
        features.append(np.concatenate(list(encoder.embed(batches, 2))))
    assert features[0].shape == (7, 32)
    assert _least_cosine(*features) > 0.999


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_features_of_audio(dtype):
    samples = np.random.default_rng(0).normal(size=20_000).astype(np.float32)
    windows = np.array([[-4000, 4000], [3000, 12_000], [15_000, 30_000]])
    features = []
    for device, precision in (("cpu", torch.float32), ("cuda", dtype)):
        encoder = random_encoder(WAV2VEC2, seed=0).eval()
        audio_encoder = AudioEncoder(
            encoder=encoder, feature_extractor=None, layers="last2", device=device, dtype=precision
        )
        features.append(window_means(audio_encoder, chunks(samples, windows, np.arange(3), 8000), 3, 2))
    assert _least_cosine(*features) > 0.999


@pytest.mark.usefixtures("fresh_accelerator")
@pytest.mark.parametrize("precision", ["no", "bf16", "fp16"])
def test_stage1_learns_and_goes_on_where_it_stopped(images, tmp_path, precision):  # noqa: F811
    settings = {"device": "cuda", "precision": precision}
    _, whole = _train(images, tmp_path / "whole.pt", **settings)
    assert whole.best_predicted.tolist() == images[1].labels.tolist()
    model, resumed = _train(images, tmp_path / "whole.pt", **settings)
    assert resumed.history == whole.history
    assert all(tensor.isfinite().all() for tensor in model.state_dict().values())


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_fusion(dtype):
    train, validation = _frames(2000), _frames(600, seed=1)
    scores = []
    for device, precision in (("cpu", "float32"), ("cuda", dtype)):
        model = _model()
        settings = TRAINING | {"dtype": precision, "device": device}
        scores.append(training.train(model, train, validation, num_classes=8, **settings)[-1]["val_macro_f1"])
    assert min(scores) > 0.8 and abs(scores[0] - scores[1]) < 0.05


def test_batches_of_a_stream_of_their_own_are_whole_before_they_are_used():
    def made():
        for number in range(50):
            batch = torch.full((1024, 1024), float(number), device="cuda")
            for _ in range(20):
                batch = batch @ torch.eye(1024, device="cuda")
            yield (batch,)

    for number, (batch,) in enumerate(on_own_stream(made(), torch.device("cuda"))):
        assert torch.equal(batch.sum() / batch.numel(), torch.tensor(float(number), device="cuda"))
        del batch
