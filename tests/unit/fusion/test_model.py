from dataclasses import replace

import numpy as np
import pytest
import torch

from frame_expressions.challenge.scores import macro_f1
from frame_expressions.fusion.heads import HEADS
from frame_expressions.fusion.inference import fill_from_nearest, predict_logits
from frame_expressions.fusion.model import FusionModel, Normalisation
from frame_expressions.fusion.training import TrainingSettings, train
from frame_expressions.fusion.training_data import Frames
from frame_expressions.runtime.errors import InputError

HEAD = {"num_fused": 6, "visual_dropout": 0.2, "audio_dropout": 0.25, "dropout": 0.2}
TRAINING = TrainingSettings(
    epochs=15,
    batch_size=32,
    lr=1e-2,
    min_lr=1e-4,
    schedule="per_batch",
    weight_decay=1e-4,
    seed=0,
    dtype="float32",
)


def _random_inputs(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(4, 5, generator=generator), torch.randn(4, 3, generator=generator)


YES, NO = torch.ones(4, dtype=torch.bool), torch.zeros(4, dtype=torch.bool)


@pytest.mark.parametrize("name", HEADS)
def test_what_is_not_there_never_reaches_the_logits(name):
    torch.manual_seed(0)
    settings = HEAD | {"num_fused": 16}
    model = FusionModel(head=name, num_visual=5, num_audio=3, num_classes=8, **settings).eval()
    (visual, audio), (other_visual, other_audio) = _random_inputs(0), _random_inputs(1)
    for visual_present in (YES, NO):
        for audio_present in (YES, NO):
            logits = model(visual, audio, visual_present, audio_present)
            assert logits.shape == (4, 8) and torch.isfinite(logits).all()
            changed = model(
                visual if visual_present.all() else other_visual,
                audio if audio_present.all() else other_audio,
                visual_present,
                audio_present,
            )
            assert torch.equal(logits, changed)


@pytest.mark.parametrize("name", HEADS)
def test_every_layer_of_a_head_learns(name):
    torch.manual_seed(0)
    head = HEADS[name](5, 3, 8, num_fused=16, dropout=0.2).train()
    logits, auxiliary = head(*_random_inputs(), YES, YES)
    (logits.square().sum() + auxiliary).backward()
    without = [key for key, parameter in head.named_parameters() if parameter.grad is None]
    assert without == []


@pytest.mark.parametrize("name", HEADS)
def test_every_head_but_the_single_ones_joins_what_neither_modality_knows_alone(name):
    _, history = _trained(head=name)
    best = max(row["val_macro_f1"] for row in history)
    if name == "visual":
        assert best < 0.35  # even from odd: at best one class in four
    elif name == "audio":
        assert best < 0.65  # the pair: at best one class in two
    else:
        assert best > 0.9


def test_the_configuration_offers_exactly_these_heads():
    import yaml

    from tests.conftest import ROOT

    schema = yaml.safe_load((ROOT / "config.schema.yaml").read_text())
    assert schema["properties"]["fusion"]["properties"]["head"]["enum"] == list(HEADS)


def test_normalisation_by_hand_and_from_present_rows_only():
    features = np.array([[3.0, 4.0], [4.0, 3.0], [100.0, 0.0]], np.float16)
    present = np.array([True, True, False])
    normalisation = Normalisation(2)
    normalisation.fit(features, np.flatnonzero(present))
    # Unit rows are (.6, .8) and (.8, .6): mean .7, standard deviation .1.
    assert normalisation.mean.tolist() == pytest.approx([0.7, 0.7])
    assert normalisation.std.tolist() == pytest.approx([0.1, 0.1])
    found = normalisation(torch.from_numpy(features), torch.from_numpy(present))
    assert torch.allclose(found, torch.tensor([[-1.0, 1.0], [1.0, -1.0], [0.0, 0.0]]), atol=1e-4)


def test_a_constant_feature_stays_finite():
    normalisation = Normalisation(1)
    normalisation.fit(np.ones((5, 1), np.float16), np.arange(5))
    assert normalisation(torch.ones(2, 1), torch.ones(2, dtype=torch.bool)).tolist() == [[0.0], [0.0]]


def test_normalisation_leaves_its_input_alone_and_follows_autocast():
    normalisation, there = Normalisation(2), torch.ones(2, dtype=torch.bool)
    features = torch.tensor([[3.0, 4.0], [0.0, 0.0]])
    before = features.clone()
    whole = normalisation(features, there)
    assert torch.equal(features, before) and torch.equal(whole, torch.tensor([[0.6, 0.8], [0.0, 0.0]]))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(normalisation(features, there), whole.bfloat16())


def test_statistics_do_not_depend_on_how_they_are_summed():
    features = np.random.default_rng(0).normal(1, 1, (3000, 6)).astype(np.float16)
    rows = np.flatnonzero(np.arange(3000) % 3)
    parts, whole = Normalisation(6), Normalisation(6)
    parts.fit(features, rows, chunk=64)
    whole.fit(features, rows, chunk=10_000)
    unit = features[rows].astype(float)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    for found in (parts, whole):
        assert found.mean.numpy() == pytest.approx(unit.mean(axis=0), abs=1e-6)
        assert found.std.numpy() == pytest.approx(unit.std(axis=0), abs=1e-6)


def _model():
    torch.manual_seed(1)
    return FusionModel(head="gate", num_visual=5, num_audio=3, num_classes=8, **HEAD)


def test_a_saved_model_predicts_the_same_and_is_loaded_strictly(tmp_path):
    model = _model().eval()
    model.visual_normalisation.mean.fill_(0.3)
    model.save(tmp_path / "model.safetensors", {"settings": {}})
    arrays = (
        np.random.default_rng(0).normal(size=(7, 5)).astype(np.float16),
        np.random.default_rng(1).normal(size=(7, 3)).astype(np.float16),
        np.ones(7, bool),
        np.ones(7, bool),
    )
    again = FusionModel.load(tmp_path / "model.safetensors")
    predicted = predict_logits(model, *arrays)
    assert np.array_equal(predict_logits(again, *arrays), predicted)
    some = predict_logits(model, *arrays, rows=np.array([1, 2, 5]), batch_size=2)
    assert np.allclose(some, predicted[[1, 2, 5]], atol=1e-6)

    from safetensors.torch import save_file

    save_file({"x": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(InputError, match=r"other\.safetensors is not a fusion model"):
        FusionModel.load(tmp_path / "other.safetensors")


def test_the_same_model_is_always_saved_as_the_same_bytes(tmp_path):
    model, provenance = _model(), {"settings": {"a": 1}, "inputs": {"b": "c"}}
    contents = set()
    for number in range(20):
        model.save(tmp_path / f"{number}.safetensors", provenance)
        contents.add((tmp_path / f"{number}.safetensors").read_bytes())
    assert len(contents) == 1


def test_frames_without_anything_take_their_nearest_neighbour():
    logits = np.arange(6.0)[:, None]
    known = np.array([False, True, False, False, True, False])
    assert fill_from_nearest(logits, known).ravel().tolist() == [1, 1, 1, 4, 4, 4]
    # Equally near on both sides: the earlier.
    assert fill_from_nearest(logits[:3], np.array([True, False, True])).ravel().tolist() == [0, 0, 2]
    assert fill_from_nearest(logits, np.zeros(6, bool)).ravel().tolist() == [0, 1, 2, 3, 4, 5]


def _frames(rng, count):
    labels = rng.integers(0, 8, count).astype(np.int8)
    # The visual feature tells even from odd classes, the audio feature the pairs: neither suffices alone.
    visual = np.eye(2)[labels % 2] + rng.normal(scale=0.1, size=(count, 2))
    audio = np.eye(4)[labels // 2] + rng.normal(scale=0.1, size=(count, 4))
    return Frames(
        visual=visual.astype(np.float16),
        audio=audio.astype(np.float16),
        visual_present=np.ones(count, bool),
        audio_present=np.ones(count, bool),
        labels=labels,
    )


def _trained(head="gate", **changes):
    rng = np.random.default_rng(0)
    torch.manual_seed(0)
    model = FusionModel(head=head, num_visual=2, num_audio=4, num_classes=8, **(HEAD | {"num_fused": 32}))
    history = train(model, _frames(rng, 600), _frames(rng, 200), replace(TRAINING, **changes), device="cpu")
    return model, history


def test_training_is_repeatable():
    (first, _), (second, _) = _trained(), _trained()
    for name, tensor in first.state_dict().items():
        assert torch.equal(tensor, second.state_dict()[name]), name


def test_training_keeps_the_best_epoch_not_the_last():
    rng = np.random.default_rng(4)
    noisy = _frames(rng, 60)
    noisy.labels[::3] = rng.integers(0, 8, 20)  # learnt by heart in the end, which costs validation frames
    validation = _frames(rng, 200)
    torch.manual_seed(0)
    model = FusionModel(head="mlp", num_visual=2, num_audio=4, num_classes=8, **(HEAD | {"num_fused": 256}))
    history = train(model, noisy, validation, replace(TRAINING, epochs=40, lr=3e-2), device="cpu")
    scores = [row["val_macro_f1"] for row in history]
    assert max(scores) > scores[-1]
    predicted = predict_logits(model, *validation.features()).argmax(axis=1)
    assert macro_f1(validation.labels, predicted) == max(scores)


def test_training_without_labels_says_so():
    frames = _frames(np.random.default_rng(0), 10)
    unlabelled = Frames(**(vars(frames) | {"labels": np.full(10, -1, np.int8)}))
    model = FusionModel(head="gate", num_visual=2, num_audio=4, num_classes=8, **HEAD)
    with pytest.raises(InputError, match="No training frame"):
        train(model, unlabelled, frames, TRAINING, device="cpu")
    with pytest.raises(InputError, match="No validation frame"):
        train(model, frames, unlabelled, TRAINING, device="cpu")
