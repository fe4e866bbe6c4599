import math

import numpy as np
import pytest
import torch

from frame_expressions.networks.losses import class_weights, mixup, soft_cross_entropy, soft_targets


def test_class_weights_on_the_published_training_counts():
    counts = [179434, 17153, 10978, 9110, 94344, 80671, 30639, 169887]
    weights = class_weights(np.repeat(np.arange(8), counts), 8).numpy()
    # 592216 / (8 * count), divided by their mean.
    digits = [0.136657, 1.429539, 2.233638, 2.691644, 0.259909, 0.303961, 0.800316, 0.144336]
    assert weights == pytest.approx(digits, abs=5e-7)
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


def test_loss_with_mixup_weights_and_smoothing_equals_a_loop_over_images_and_classes():
    num_classes, smoothing, alpha = 8, 0.1, 0.2
    labels = np.array([0, 3, 7, 0, 4, 4, 1, 0, 6])
    logits = torch.randn(9, num_classes, generator=torch.Generator().manual_seed(2))
    weights = class_weights(labels, num_classes)
    targets = soft_targets(torch.from_numpy(labels), num_classes, smoothing)
    _, mixed = mixup(torch.zeros(9, 1), targets, alpha, np.random.default_rng(3))

    rng = np.random.default_rng(3)  # the draws that mixup makes
    share, partner = rng.beta(alpha, alpha), rng.permutation(9)
    assert 0.001 < share < 0.999
    counts = [list(labels).count(number) for number in range(num_classes)]
    raw = [9 / (num_classes * count) if count else 0.0 for count in counts]
    mean_weight = sum(raw) / sum(count > 0 for count in counts)
    total = 0.0
    for image in range(9):
        scores = logits[image].tolist()
        normaliser = math.log(sum(math.exp(score) for score in scores))
        for number in range(num_classes):
            own = (1 - smoothing) * (labels[image] == number) + smoothing / num_classes
            other = (1 - smoothing) * (labels[partner[image]] == number) + smoothing / num_classes
            target = share * own + (1 - share) * other
            total -= raw[number] / mean_weight * target * (scores[number] - normaliser)
    assert soft_cross_entropy(logits, mixed, weights).item() == pytest.approx(total / 9, abs=1e-5)


def test_the_loss_of_a_batch_is_the_mean_over_its_equal_parts():
    labels = np.array([0, 0, 0, 0, 1, 2, 2, 3])  # the parts have other classes, hence other weights
    logits = torch.randn(8, 4, generator=torch.Generator().manual_seed(0))
    weights = class_weights(labels, 4)
    targets = soft_targets(torch.from_numpy(labels), 4, 0.1)
    parts = [soft_cross_entropy(logits[part], targets[part], weights) for part in (slice(0, 4), slice(4, 8))]
    assert sum(parts).item() / 2 == pytest.approx(soft_cross_entropy(logits, targets, weights).item(), rel=1e-6)
