import numpy as np
import pytest
import torch

from workflow_scripts.lib.targets import class_weights, mixup, soft_targets


def test_class_weights_on_the_published_training_counts():
    counts = [179434, 17153, 10978, 9110, 94344, 80671, 30639, 169887]
    weights = class_weights(np.repeat(np.arange(8), counts), 8).numpy()
    raw = 592216 / (8 * np.array(counts))
    assert weights == pytest.approx(raw / raw.mean(), rel=1e-6)
    assert weights.mean() == pytest.approx(1.0, rel=1e-6)
    # The rarest class, Fear, weighs 179434 / 9110 times as much as Neutral.
    assert weights[3] / weights[0] == pytest.approx(179434 / 9110, rel=1e-5)


def test_a_class_that_does_not_occur_weighs_nothing():
    assert class_weights(np.array([0, 0, 2]), 3).tolist() == pytest.approx([2 / 3, 0.0, 4 / 3])


def test_soft_targets_by_hand():
    assert soft_targets(torch.tensor([1]), 4, 0.1)[0].tolist() == pytest.approx([0.025, 0.925, 0.025, 0.025])


def test_mixup_blends_images_and_targets_with_one_share():
    images = torch.arange(4.0).view(4, 1, 1, 1)
    targets = torch.eye(4)
    mixed, blended = mixup(images, targets, 0.2, np.random.default_rng(5))
    assert blended.sum(dim=1).tolist() == pytest.approx([1.0] * 4)
    # Image i has value i and target e_i, so the blended target's mean position is the blended value.
    assert torch.allclose(blended @ torch.arange(4.0), mixed.view(4), atol=1e-6)
    assert not torch.equal(mixed, images)


def test_mixup_of_zero_is_none():
    images, targets = torch.rand(2, 3, 4, 4), torch.eye(2)
    mixed, blended = mixup(images, targets, 0.0, np.random.default_rng(0))
    assert mixed is images and blended is targets
