"""Training: the same as a plain loop, in every precision and with missing modalities and classes."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from frame_expressions.challenge.scores import macro_f1
from frame_expressions.fusion import training_data
from frame_expressions.fusion.dropout import Dropout
from frame_expressions.fusion.heads import HEADS
from frame_expressions.fusion.inference import predict_logits
from frame_expressions.fusion.model import FusionModel, Normalisation
from frame_expressions.fusion.training import TrainingSettings, _optimizer, train
from frame_expressions.fusion.training_data import Frames
from frame_expressions.networks.losses import class_weights
from frame_expressions.runtime.errors import InputError

HEAD = {"num_fused": 16, "visual_dropout": 0.2, "audio_dropout": 0.25, "dropout": 0.2}
TRAINING = TrainingSettings(
    epochs=6,
    batch_size=64,
    lr=1e-2,
    min_lr=1e-4,
    schedule="per_batch",
    weight_decay=1e-4,
    seed=3,
    dtype="float32",
)
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


def _model(head="gate", trained_on="either"):
    torch.manual_seed(1)
    return FusionModel(head=head, num_visual=6, num_audio=4, num_classes=8, **HEAD, trained_on=trained_on)


def _trained(frames, validation, head="gate", **changes):
    model = _model(head)
    history = train(model, frames, validation, replace(TRAINING, **changes), device="cpu")
    return model, history


def _plainly_trained(frames, validation, head, per_epoch):
    """The same training, features in memory, one full permutation an epoch, everything but dropout as torch has it."""
    labelled = np.flatnonzero((frames.labels != -1) & (frames.visual_present | frames.audio_present))
    model = _model(head)
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
    groups = [{"params": [], "base": TRAINING.lr}, {"params": [], "base": 0.5 * TRAINING.lr}]
    for name, parameter in model.named_parameters():
        groups["router" in name]["params"].append(parameter)
    optimizer = torch.optim.AdamW(groups, weight_decay=TRAINING.weight_decay)
    steps_per_epoch = -(-len(labelled) // TRAINING.batch_size)
    step = 0
    rng = np.random.default_rng(TRAINING.seed)
    torch.manual_seed(TRAINING.seed)
    best = -1.0, None
    for _ in range(TRAINING.epochs):
        model.train()
        order = rng.permutation(labelled)
        for start in range(0, len(order), TRAINING.batch_size):
            rows = np.sort(order[start : start + TRAINING.batch_size])
            target = torch.from_numpy(frames.labels[rows].astype(np.int64))
            logits, auxiliary = logits_of(rows, drop=True)
            loss = F.cross_entropy(logits, target, weight=weights) + auxiliary
            done = step // steps_per_epoch / TRAINING.epochs if per_epoch else step / steps_per_epoch / TRAINING.epochs
            for group in optimizer.param_groups:
                span = group["base"] - TRAINING.min_lr
                group["lr"] = TRAINING.min_lr + span / 2 * (1 + math.cos(math.pi * done))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step += 1
        logits = predict_logits(model.eval(), *validation.inputs)
        score = macro_f1(validation.labels, logits.argmax(axis=1))
        if score > best[0]:
            best = score, logits
    return best


@pytest.mark.parametrize(
    ("head", "schedule"), [("gate", "per_batch"), ("gate", "per_epoch"), ("moe", "per_batch"), ("moe", "per_epoch")]
)
def test_a_small_run_is_what_a_plain_loop_makes_of_features_in_memory(head, schedule):
    frames, validation = _frames(700), _frames(300, seed=1)
    model, history = _trained(frames, validation, head, schedule=schedule)
    score, logits = _plainly_trained(frames, validation, head, per_epoch=schedule == "per_epoch")
    assert np.abs(predict_logits(model, *validation.inputs) - logits).max() < 1e-5
    assert max(row["val_macro_f1"] for row in history) == score > 0.5


def test_the_learning_rate_of_each_epoch_is_the_published_one():
    frames = _frames(200)
    settings = {"epochs": 20, "lr": 1e-4, "min_lr": 1e-5}
    rates = [row["lr"] for row in _trained(frames, frames, schedule="per_epoch", **settings)[1]]
    expected = [1e-5 + 9e-5 / 2 * (1 + math.cos(math.pi * (epoch - 1) / 20)) for epoch in range(1, 21)]
    assert rates == pytest.approx(expected, rel=1e-9)
    assert rates[0] == 1e-4 and rates[-1] == pytest.approx(1.055e-5, abs=5e-9)
    rates = [row["lr"] for row in _trained(frames, frames, **settings)[1]]  # after each epoch's last step
    assert rates[0] < 1e-4 and rates[-1] == pytest.approx(1e-5, rel=1e-9)
    constant = _trained(frames, frames, "audio", schedule="per_epoch", epochs=3, lr=1e-3, min_lr=1e-3)[1]
    assert [row["lr"] for row in constant] == [1e-3] * 3


@pytest.mark.parametrize("head", HEADS)
def test_every_parameter_decays_biases_and_norms_too(head):
    model = _model(head)
    optimizer, _ = _optimizer(model, replace(TRAINING, weight_decay=0.1), steps_per_epoch=1)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for name, parameter in model.named_parameters():
        lr = TRAINING.lr * (0.5 if "router" in name else 1)
        assert torch.allclose(parameter, before[name] * (1 - lr * 0.1), atol=1e-7), name


def test_float16_learns_as_well_with_a_scaled_loss(monkeypatch):
    scalers = []

    class Scaler(torch.amp.GradScaler):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            scalers.append(self)

    monkeypatch.setattr(torch.amp, "GradScaler", Scaler)
    frames, validation = _frames(700), _frames(300, seed=1)
    (model, half), (_, again), (_, whole) = (
        _trained(frames, validation, dtype=dtype) for dtype in ("float16", "float16", "float32")
    )
    assert half == again
    best = [max(row["val_macro_f1"] for row in history) for history in (half, whole)]
    assert best[1] > 0.5 and abs(best[0] - best[1]) < 0.03
    assert [row["train_loss"] for row in half] == pytest.approx([row["train_loss"] for row in whole], rel=0.02)
    assert all(tensor.dtype == torch.float32 for tensor in model.state_dict().values())
    assert [scaler.is_enabled() for scaler in scalers] == [True, True, False]
    assert scalers[0].get_scale() >= 2**10  # no step was skipped many times


def test_blocks_and_bfloat16_learn_as_well(monkeypatch):
    frames, validation = _frames(3000), _frames(1000, seed=1)
    whole = _trained(frames, validation)[1]
    monkeypatch.setattr(training_data, "BUFFER_BYTES", 256 * 20)
    monkeypatch.setattr(training_data, "BLOCK_ROWS", 16)
    (first, blocks), (second, _) = (_trained(frames, validation, dtype="bfloat16") for _ in range(2))
    best = [max(row["val_macro_f1"] for row in history) for history in (whole, blocks)]
    assert best[0] > 0.8 and abs(best[0] - best[1]) < 0.02
    for name, tensor in first.state_dict().items():
        assert tensor.dtype == torch.float32 and torch.equal(tensor, second.state_dict()[name]), name


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("head", HEADS)
def test_every_head_trains_in_two_bytes(head, dtype):
    frames = _frames(200)
    model = _model(head)
    history = train(model, frames, frames, replace(TRAINING, dtype=dtype), device="cpu")
    assert history[-1]["train_loss"] < history[0]["train_loss"]
    assert np.isfinite(predict_logits(model, *frames.inputs)).all()


def test_training_that_diverges_ends_with_a_sentence():
    with pytest.raises(InputError, match=r"The fusion diverged in epoch 1 of 6 .*lower fusion\.training\.lr"):
        _trained(_frames(400), _frames(100, seed=1), lr=1e30)


def test_a_constant_feature_says_nothing_whatever_its_value_is_elsewhere():
    rng = np.random.default_rng(0)
    for count in range(2, 4000, 97):
        rows = np.broadcast_to(rng.normal(size=3).astype(np.float16), (count, 3))
        normalisation = Normalisation(3)
        normalisation.fit(rows, np.arange(count))
        assert normalisation.std.tolist() == [1, 1, 1]


def test_frames_without_a_face_or_without_audio_are_trained_on_the_other_modality():
    frames = _frames(400)
    silent = replace(frames, audio=frames.audio * 0, audio_present=np.zeros(400, bool))
    model, history = _trained(silent, silent)
    assert all(np.isfinite(list(row.values())).all() for row in history)
    assert all(tensor.isfinite().all() for tensor in model.state_dict().values())
    assert model.audio_normalisation.std.tolist() == [1] * 4


def _of(frames, chosen):
    return Frames(**{name: values[chosen] for name, values in vars(frames).items()})


def test_training_on_complete_frames_equals_training_on_a_corpus_that_has_no_others():
    frames, validation = _frames(700), _frames(300, seed=1)
    model = _model(trained_on="complete")
    history = train(model, frames, validation, TRAINING, device="cpu")
    complete = [_of(part, part.visual_present & part.audio_present) for part in (frames, validation)]
    assert 0 < len(complete[0]) < 650 and 0 < len(complete[1]) < 280
    expected, expected_history = _trained(*complete)
    assert history == expected_history
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, expected.state_dict()[name]), name
    assert history != _trained(frames, validation)[1] != _trained(complete[0], validation)[1]


def test_a_corpus_without_complete_frames_says_so():
    frames = _frames(100)
    silent = replace(frames, audio_present=np.zeros(100, bool))
    with pytest.raises(InputError, match="No training frame has both a label and a face and audio"):
        train(_model(trained_on="complete"), silent, frames, TRAINING, device="cpu")
    with pytest.raises(InputError, match="No validation frame has a label, a face and audio"):
        train(_model(trained_on="complete"), frames, silent, TRAINING, device="cpu")


def test_a_class_without_samples_has_no_weight_and_f1_0():
    frames = _frames(400)
    frames.labels[frames.labels == 3] = -1
    model, history = _trained(frames, _frames(100, seed=1))
    assert class_weights(frames.labels[frames.labels >= 0], 8)[3] == 0
    assert all(np.isfinite(list(row.values())).all() for row in history)
    assert all(tensor.isfinite().all() for tensor in model.state_dict().values())
