import math

import numpy as np
import pytest
import torch
from PIL import Image
from torch.optim.optimizer import register_optimizer_step_pre_hook

from frame_expressions.encoders.loading import random_encoder
from frame_expressions.encoders.preprocessing import IMAGENET_MEAN, IMAGENET_STD
from frame_expressions.runtime.errors import InputError
from frame_expressions.stage1 import training
from frame_expressions.stage1.augmentation import Augmentation, AugmentationSettings
from frame_expressions.stage1.checkpoint import Checkpoint
from frame_expressions.stage1.dataset import ImageDataset, RandomCropDataset
from frame_expressions.stage1.model import Classifier
from frame_expressions.stage1.moe import MoEHead, MoESettings
from frame_expressions.stage1.padaug import PadAug, PadAugSettings

ARCHITECTURE = {
    "model_type": "dinov2",
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 28,
    "patch_size": 14,
}
SETTINGS = {
    "epochs": 4,
    "schedule": "per_batch",
    "warmup_epochs": 0.5,
    "batch_size": 16,
    "head_lr": 3e-3,
    "backbone_lr": 1e-3,
    "min_lr": 1e-6,
    "layer_decay": 0.9,
    "weight_decay": 0.05,
    "label_smoothing": 0.1,
    "mixup_alpha": 0.2,
    "max_grad_norm": 1.0,
    "seed": 7,
    "precision": "no",
}
MOE = MoESettings(
    num_experts=2,
    depth=1,
    router_features=256,
    expansion=2.0,
    dropout=0.1,
    max_drop_path=0.1,
    top_k=None,
    balance_weight=0.0,
)


def _augmentation():
    settings = AugmentationSettings(
        crop_scale=(0.8, 1.0),
        flip_p=0.5,
        jitter=(0.25, 0.25, 0.15, 0.02),
        jitter_p=0.8,
        gray_p=0.1,
        blur_sigma=(0.1, 1.5),
        blur_p=0.1,
        erase_scale=(0.02, 0.12),
        erase_p=0.25,
    )
    padaug = PadAug(PadAugSettings(probability=0.5, bar_width=(0.03, 0.2), max_l_area=0.2, max_shift=0.02))
    return Augmentation(settings, padaug)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Two classes of plain images, dark and bright: [training, validation]."""
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    sets = {}
    for part, count in (("train", 48), ("validation", 16)):
        paths, labels = [], []
        for number in range(count):
            label = number % 2
            pixels = rng.integers(0, 60, (40, 36, 3)) + 180 * label
            paths.append(folder / f"{part}{number}.png")
            Image.fromarray(pixels.astype(np.uint8)).save(paths[-1])
            labels.append(label)
        sets[part] = paths, np.array(labels)
    return [_training_set(*sets["train"]), ImageDataset(*sets["validation"], stored_px=32)]


def _training_set(paths, labels):
    return RandomCropDataset(paths, labels, image_px=28, crop_scale=(0.8, 1.0))


def _train(images, checkpoint, *, fingerprint="a", num_workers=0, device="cpu", **changes):
    torch.manual_seed(0)
    model = Classifier(backbone=random_encoder(ARCHITECTURE, seed=0), head=MoEHead(16, 8, MOE))
    model.backbone.embeddings.mask_token.data.fill_(1.0)  # random_encoder leaves it at 0, which decay would not change
    settings = training.TrainingSettings(**(SETTINGS | changes))
    execution = training.Execution(device, num_workers, Checkpoint(checkpoint, fingerprint))
    return model, training.train(model, _augmentation(), *images, 28, settings, execution)


def test_an_unreadable_image_is_named(tmp_path):
    bad = tmp_path / "black.jpg"
    bad.write_bytes(b"not an image")
    with pytest.raises(InputError, match=r"black\.jpg is not a readable image"):
        ImageDataset([bad], np.array([0]), 32)[0]


@pytest.mark.parametrize("num_workers", [0, 1])
def test_an_unreadable_image_ends_training_with_one_sentence(images, tmp_path, num_workers):
    bad = tmp_path / "black.jpg"
    bad.write_bytes(b"not an image")
    broken = _training_set([bad] * 16, np.zeros(16, dtype=np.int8))
    with pytest.raises(InputError, match=r"black\.jpg is not a readable image") as caught:
        _train([broken, images[1]], tmp_path / "c.pt", num_workers=num_workers)
    assert str(caught.value).startswith(str(bad)) and "\n" not in str(caught.value)


def test_an_encoder_without_a_class_token_is_refused():
    backbone = random_encoder(ARCHITECTURE | {"model_type": "siglip_vision_model", "intermediate_size": 16}, seed=0)
    with pytest.raises(InputError, match=r"^SiglipVisionModel has no class token, .* choose an encoder with one"):
        Classifier(backbone=backbone, head=MoEHead(16, 8, MOE))


def test_it_learns_and_keeps_its_best_epoch(images, tmp_path):
    model, state = _train(images, tmp_path / "c.pt")
    assert state.best_macro_f1 == pytest.approx(0.25)  # two of eight classes, both right
    assert len(state.history) == 4
    assert state.best_predicted.tolist() == images[1].labels.tolist()
    assert all(torch.equal(tensor, state.best_weights[name]) for name, tensor in model.state_dict().items())


def test_the_mask_token_has_no_gradient_and_so_no_decay(images, tmp_path):
    model, _ = _train(images, tmp_path / "c.pt", weight_decay=10.0)
    assert (model.backbone.embeddings.mask_token == 1.0).all()
    assert model.backbone.embeddings.mask_token.requires_grad


def test_the_heads_auxiliary_loss_is_part_of_the_loss(images, tmp_path, monkeypatch):
    _, plain = _train(images, tmp_path / "plain.pt", epochs=1)
    real_forward = MoEHead.forward
    monkeypatch.setattr(MoEHead, "forward", lambda head, features: (real_forward(head, features)[0], torch.tensor(2.0)))
    _, raised = _train(images, tmp_path / "raised.pt", epochs=1)
    assert raised.history[0]["train_loss"] == pytest.approx(plain.history[0]["train_loss"] + 2.0, abs=1e-5)


def _cosine(num_steps):
    """The head's rates in that many steps after the warm-up."""
    return [1e-6 + (3e-3 - 1e-6) / 2 * (1 + math.cos(math.pi * step / num_steps)) for step in range(num_steps)]


@pytest.mark.parametrize(
    ("schedule", "warmup_epochs", "expected"),
    [
        ("per_batch", 0, _cosine(12)),
        ("per_batch", 0.5, [1e-3, 2e-3, *_cosine(10)]),
        ("per_epoch", 0, np.repeat(_cosine(4), 3)),
        ("per_epoch", 0.5, np.repeat([1.5e-3, *_cosine(3)], 3)),  # counted as a whole epoch
        ("per_epoch", 2, np.repeat([1e-3, 2e-3, *_cosine(2)], 3)),
    ],
)
def test_the_rate_falls_with_every_batch_or_once_per_epoch(images, tmp_path, schedule, warmup_epochs, expected):
    rates = []
    hook = register_optimizer_step_pre_hook(
        lambda optimizer, *_: rates.append(max(group["lr"] for group in optimizer.param_groups))
    )
    try:
        _, state = _train(images, tmp_path / "c.pt", schedule=schedule, warmup_epochs=warmup_epochs)
    finally:
        hook.remove()
    assert rates == pytest.approx(list(expected), rel=1e-9)  # 4 epochs of 3 batches
    if schedule == "per_epoch":
        assert [row["head_lr"] for row in state.history] == rates[::3]


@pytest.mark.parametrize("schedule", ["per_batch", "per_epoch"])
def test_an_interrupted_run_ends_like_an_uninterrupted_one(images, tmp_path, monkeypatch, schedule):
    whole, state = _train(images, tmp_path / "whole.pt", schedule=schedule)

    class Killed(Exception):
        pass

    real_save = Checkpoint.save

    def save_then_die(checkpoint, state, parts):
        real_save(checkpoint, state, parts)
        if state.epoch == 2:
            raise Killed

    monkeypatch.setattr(Checkpoint, "save", save_then_die)
    with pytest.raises(Killed):
        _train(images, tmp_path / "part.pt", schedule=schedule)
    monkeypatch.undo()
    resumed, again = _train(images, tmp_path / "part.pt", schedule=schedule)
    assert again.history == state.history and again.best_epoch == state.best_epoch
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name


def test_a_checkpoint_of_other_settings_is_not_taken_up(images, tmp_path):
    _train(images, tmp_path / "c.pt", epochs=1)
    _, state = _train(images, tmp_path / "c.pt", epochs=2, fingerprint="b")
    assert [row["epoch"] for row in state.history] == [1, 2]


def test_augmentation_is_seeded_by_its_generator_alone():
    augmentation, images = _augmentation(), torch.rand(8, 3, 28, 28)
    runs = []
    for global_seed in (1, 2):
        torch.manual_seed(global_seed)
        before = torch.random.get_rng_state()
        runs.append(augmentation(images, torch.Generator().manual_seed(5)))
        assert torch.equal(before, torch.random.get_rng_state())
    assert torch.equal(*runs)
    assert runs[0].shape == (8, 3, 28, 28)


def test_augmentation_keeps_images_upright_and_in_range():
    images = torch.zeros(16, 3, 28, 28)
    images[:, :, :14] = 0.9  # bright above
    found = _augmentation()(images, torch.Generator().manual_seed(0))
    mean, std = torch.tensor(IMAGENET_MEAN).view(3, 1, 1), torch.tensor(IMAGENET_STD).view(3, 1, 1)
    images = found * std + mean
    assert images.min() > -1e-5 and images.max() < 1 + 1e-5
    assert (images[:, :, 6:10].mean(dim=(1, 2, 3)) > images[:, :, 20:24].mean(dim=(1, 2, 3))).float().mean() > 0.8


def test_half_precision_with_loss_scaling_needs_a_gpu(images, tmp_path):
    with pytest.raises(InputError, match="precision is fp16, which needs a GPU; set it to no or bf16"):
        _train(images, tmp_path / "c.pt", precision="fp16")


def test_training_that_diverges_ends_with_a_sentence_and_without_a_checkpoint(images, tmp_path):
    # The only step: its loss is still a number, what it makes of the weights is none.
    few = _training_set(images[0].paths[:16], images[0].labels[:16])
    rates = {"head_lr": 1e37, "backbone_lr": 1e37, "weight_decay": 0.0, "warmup_epochs": 0, "epochs": 1}
    with pytest.raises(InputError, match=r"Stage I diverged in epoch 1 of 1 .*lower stage1\.training\.head_lr"):
        _train([few, images[1]], tmp_path / "c.pt", **rates)
    assert not (tmp_path / "c.pt").exists()


@pytest.mark.parametrize("content", [b"", b"PK\3\4 cut off"])
def test_a_checkpoint_that_cannot_be_read_is_named_with_what_to_do(images, tmp_path, content):
    (tmp_path / "c.pt").write_bytes(content)
    with pytest.raises(InputError, match=r"c\.pt .* delete it to train Stage I from the beginning"):
        _train(images, tmp_path / "c.pt")


def test_images_in_formats_that_start_a_program_are_rejected(tmp_path):
    path = tmp_path / "face.jpg"
    Image.new("RGB", (8, 8)).save(path, "EPS")
    with pytest.raises(InputError, match=r"face\.jpg is not a readable image"):
        ImageDataset([path], np.array([0]), 32)[0]


def test_an_image_of_too_many_pixels_is_rejected_before_it_is_decoded(tmp_path, monkeypatch):
    path = tmp_path / "face.png"
    Image.new("RGB", (40, 40)).save(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 700)
    with pytest.raises(InputError, match=r"face\.png is not a readable image .*1600 pixels"):
        ImageDataset([path], np.array([0]), 32)[0]
