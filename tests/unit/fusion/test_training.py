"""How training reads its frames: order, memory, and what becomes of the model."""

import time
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from frame_expressions.challenge.scores import macro_f1
from frame_expressions.fusion import training
from frame_expressions.fusion.dropout import Dropout
from frame_expressions.fusion.heads import HEADS
from frame_expressions.fusion.inference import predict_logits
from frame_expressions.fusion.model import FusionModel, Normalisation
from frame_expressions.fusion.training import Frames, ShuffledBatches, in_buffers, train
from frame_expressions.networks.losses import class_weights
from frame_expressions.runtime.errors import InputError

HEAD = {"num_fused": 16, "visual_dropout": 0.2, "audio_dropout": 0.25, "dropout": 0.2}
TRAINING = {
    "epochs": 6,
    "batch_size": 64,
    "lr": 1e-2,
    "min_lr": 1e-4,
    "weight_decay": 1e-4,
    "seed": 3,
    "dtype": "float32",
}
PROTOTYPES = np.random.default_rng(9).normal(size=(8, 10))


def _frames(count, seed=0):
    """Features [count, 6] and [count, 4] of which some are absent, tracks of 50 frames, some of them unlabelled."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(rng.integers(0, 8, -(-count // 50)), 50)[:count].astype(np.int8)
    features = PROTOTYPES[labels] + 0.5 * rng.normal(size=(count, 10))
    visual_present, audio_present = rng.random((2, count)) > 0.1
    visual, audio = features[:, :6] * visual_present[:, None], features[:, 6:] * audio_present[:, None]
    labels[rng.random(count) < 0.1] = -1
    return Frames(visual.astype(np.float16), audio.astype(np.float16), visual_present, audio_present, labels)


def _model(head="gate"):
    torch.manual_seed(1)
    return FusionModel(head=head, num_visual=6, num_audio=4, num_classes=8, **HEAD)


def _trained(frames, validation, **changes):
    model = _model()
    history = train(model, frames, validation, num_classes=8, device="cpu", **(TRAINING | changes))
    return model, history


def _plainly_trained(frames, validation):
    """The same training, features in memory, one full permutation an epoch, everything but dropout as torch has it."""
    labelled = np.flatnonzero((frames.labels != -1) & (frames.visual_present | frames.audio_present))
    model = _model()
    for part, features, present in (
        (model.visual_normalisation, frames.visual, frames.visual_present),
        (model.audio_normalisation, frames.audio, frames.audio_present),
    ):
        there = labelled[present[labelled]]
        unit = F.normalize(torch.from_numpy(features[there]).double(), dim=-1)
        part.mean.copy_(unit.mean(dim=0))
        part.std.copy_(unit.std(dim=0, correction=0))

    def logits_of(rows, drop):
        inputs = []
        for part, dropout, features, present in (
            (model.visual_normalisation, HEAD["visual_dropout"], frames.visual, frames.visual_present),
            (model.audio_normalisation, HEAD["audio_dropout"], frames.audio, frames.audio_present),
        ):
            unit = F.normalize(torch.from_numpy(features[rows]).float(), dim=-1)
            there = torch.from_numpy(present[rows])
            score = torch.where(there[:, None], (unit - part.mean) / part.std, 0.0)
            inputs.append((Dropout(dropout).train(drop)(score), there))
        (visual, visual_there), (audio, audio_there) = inputs
        return model.head(visual, audio, visual_there, audio_there)

    weights = class_weights(frames.labels[labelled], 8)
    optimizer = torch.optim.AdamW(model.parameters(), lr=TRAINING["lr"], weight_decay=TRAINING["weight_decay"])
    steps = TRAINING["epochs"] * -(-len(labelled) // TRAINING["batch_size"])
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps, eta_min=TRAINING["min_lr"])
    rng = np.random.default_rng(TRAINING["seed"])
    torch.manual_seed(TRAINING["seed"])
    best = -1.0, None
    for _ in range(TRAINING["epochs"]):
        model.train()
        order = rng.permutation(labelled)
        for start in range(0, len(order), TRAINING["batch_size"]):
            rows = np.sort(order[start : start + TRAINING["batch_size"]])
            target = torch.from_numpy(frames.labels[rows].astype(np.int64))
            loss = F.cross_entropy(logits_of(rows, drop=True), target, weight=weights)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        logits = predict_logits(model.eval(), *validation.inputs)
        score = macro_f1(validation.labels, logits.argmax(axis=1))
        if score > best[0]:
            best = score, logits
    return best


def test_a_small_run_is_what_a_plain_loop_makes_of_features_in_memory():
    frames, validation = _frames(700), _frames(300, seed=1)
    model, history = _trained(frames, validation)
    score, logits = _plainly_trained(frames, validation)
    assert np.abs(predict_logits(model, *validation.inputs) - logits).max() < 1e-5
    assert max(row["val_macro_f1"] for row in history) == score > 0.5


def test_rows_that_fit_into_a_buffer_are_left_to_one_permutation():
    rng = np.random.default_rng(0)
    rows = np.array([3, 5, 8, 9])
    (buffer,) = in_buffers(rows, 4, 2, rng)
    assert buffer.tolist() == rows.tolist()
    assert rng.integers(1 << 60) == np.random.default_rng(0).integers(1 << 60)  # nothing was drawn


def test_more_rows_are_dealt_in_blocks_from_everywhere():
    rows = np.flatnonzero(np.arange(12_000) % 6)  # 10,000 of them
    buffers = in_buffers(rows, 2048, 16, np.random.default_rng(0))
    assert [len(buffer) for buffer in buffers] == [2048] * 4 + [10_000 - 4 * 2048]
    assert np.array_equal(np.sort(np.concatenate(buffers)), rows)
    for buffer in buffers:
        place = np.searchsorted(rows, buffer)
        assert (np.diff(place) == 1).mean() > 0.9  # long runs of neighbours
        shares = np.histogram(place, bins=5, range=(0, 10_000))[0] / len(place)
        assert shares.min() > 0.1 and shares.max() < 0.3  # of a fifth each


@pytest.fixture
def small_buffer(monkeypatch):
    """Buffers of 128 rows of 10 features (two batches), blocks of 8."""
    monkeypatch.setattr(training, "BUFFER_BYTES", 128 * 20)
    monkeypatch.setattr(training, "BLOCK_ROWS", 8)


def _numbered(count):
    """Frames whose features and class tell their number."""
    number = np.arange(count)
    visual = np.stack([number % 100, number // 100, *np.zeros((4, count))], axis=1).astype(np.float16)
    audio = np.repeat(number[:, None] % 7, 4, axis=1).astype(np.float16)
    return Frames(visual, audio, number % 5 > 0, number % 3 > 0, (number % 8).astype(np.int8))


def _numbers(batches):
    return [(batch[0][:, 0] + 100 * batch[0][:, 1]).int().tolist() for batch, _ in batches]


def test_every_row_comes_once_in_another_order_every_time(small_buffer):
    frames, rows = _numbered(1500), np.arange(0, 1500, 2)
    batches = ShuffledBatches(frames, rows, 64, np.random.default_rng(0), "cpu")
    first, second = _numbers(batches), _numbers(batches)
    for epoch in (first, second):
        assert np.array_equal(np.sort(np.concatenate(epoch)), rows)
        assert [len(batch) for batch in epoch] == [64] * 11 + [46]
    assert first != second
    spread = [np.ptp(batch) for batch in first]
    assert min(spread) > 750  # no batch keeps to one part of the corpus
    for (visual, audio, visual_present, audio_present), target in batches:
        number = (visual[:, 0] + 100 * visual[:, 1]).int()
        assert torch.equal(audio[:, 2].int(), number % 7) and torch.equal(target, (number % 8).long())
        assert torch.equal(visual_present, number % 5 > 0) and torch.equal(audio_present, number % 3 > 0)


class _Slow:
    """An array whose rows take their time."""

    def __init__(self, values, wait_s):
        self.values, self.shape, self.wait_s = values, values.shape, wait_s

    def take(self, rows, *, axis, out):
        time.sleep(self.wait_s)
        return np.take(self.values, rows, axis, out, mode="clip")


def test_the_order_does_not_depend_on_how_fast_frames_are_read(small_buffer):
    frames = _numbered(600)
    slow = Frames(**(vars(frames) | {"audio": _Slow(frames.audio, 0.02)}))
    orders = []
    for source, pause in ((frames, 0.0), (frames, 0.01), (slow, 0.0)):
        batches = ShuffledBatches(source, np.arange(600), 64, np.random.default_rng(4), "cpu")
        orders.append([])
        for batch in batches:
            orders[-1] += _numbers([batch])
            time.sleep(pause)
    assert orders[0] == orders[1] == orders[2]


def test_a_reading_error_ends_the_training(small_buffer):
    class Broken(_Slow):
        def take(self, rows, *, axis, out):
            raise InputError("features.npy is cut off")

    frames = _numbered(600)
    broken = Frames(**(vars(frames) | {"visual": Broken(frames.visual, 0.0)}))
    with pytest.raises(InputError, match="cut off"):
        list(ShuffledBatches(broken, np.arange(600), 64, np.random.default_rng(4), "cpu"))


def test_blocks_and_bfloat16_learn_as_well(monkeypatch):
    frames, validation = _frames(3000), _frames(1000, seed=1)
    whole = _trained(frames, validation)[1]
    monkeypatch.setattr(training, "BUFFER_BYTES", 256 * 20)
    monkeypatch.setattr(training, "BLOCK_ROWS", 16)
    (first, blocks), (second, _) = (_trained(frames, validation, dtype="bfloat16") for _ in range(2))
    best = [max(row["val_macro_f1"] for row in history) for history in (whole, blocks)]
    assert best[0] > 0.8 and abs(best[0] - best[1]) < 0.02
    for name, tensor in first.state_dict().items():
        assert tensor.dtype == torch.float32 and torch.equal(tensor, second.state_dict()[name]), name


@pytest.mark.parametrize("head", HEADS)
def test_every_head_trains_in_bfloat16(head):
    frames = _frames(200)
    model = _model(head)
    history = train(model, frames, frames, num_classes=8, device="cpu", **(TRAINING | {"dtype": "bfloat16"}))
    assert history[-1]["train_loss"] < history[0]["train_loss"]
    assert np.isfinite(predict_logits(model, *frames.inputs)).all()


def test_training_that_diverges_ends_with_a_sentence():
    with pytest.raises(InputError, match=r"the fusion diverged in epoch 1 of 6 .*lower fusion\.training\.lr"):
        _trained(_frames(400), _frames(100, seed=1), lr=1e30)


def test_a_constant_feature_says_nothing_whatever_its_value_is_elsewhere():
    rng = np.random.default_rng(0)
    for count in range(2, 4000, 97):
        rows = np.broadcast_to(rng.normal(size=3).astype(np.float16), (count, 3))
        normalisation = Normalisation(3)
        normalisation.fit(rows, np.arange(count))
        assert normalisation.std.tolist() == [1, 1, 1]


def test_frames_without_any_face_or_sound_are_trained_on_what_is_there():
    frames = _frames(400)
    silent = replace(frames, audio=frames.audio * 0, audio_present=np.zeros(400, bool))
    model, history = _trained(silent, silent)
    assert all(np.isfinite(list(row.values())).all() for row in history)
    assert all(tensor.isfinite().all() for tensor in model.state_dict().values())
    assert model.audio_normalisation.std.tolist() == [1] * 4


def test_a_class_without_samples_has_no_weight_and_f1_0():
    frames = _frames(400)
    frames.labels[frames.labels == 3] = -1
    model, history = _trained(frames, _frames(100, seed=1))
    assert class_weights(frames.labels[frames.labels >= 0], 8)[3] == 0
    assert all(np.isfinite(list(row.values())).all() for row in history)
    assert all(tensor.isfinite().all() for tensor in model.state_dict().values())
