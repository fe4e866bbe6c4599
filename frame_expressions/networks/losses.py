"""The loss, with class weights, label smoothing and mixup.

Shapes: B images, C classes.
"""

import numpy as np
import torch
import torch.nn.functional as F


def class_weights(labels: np.ndarray, num_classes: int) -> torch.Tensor:
    """Weights [C] float32 N / (C * n_c), scaled to mean 1 over the classes that occur; 0 where none does."""
    counts = np.bincount(labels, minlength=num_classes).astype(np.float64)
    occurs = counts > 0
    weights = np.zeros(num_classes)
    weights[occurs] = counts.sum() / (num_classes * counts[occurs])
    return torch.from_numpy(weights / weights[occurs].mean()).float()


def soft_targets(labels: torch.Tensor, num_classes: int, label_smoothing: float) -> torch.Tensor:
    """Targets [B, C] that sum to 1 from classes [B]: the class keeps 1 - s + s / C, every other gets s / C."""
    one_hot = F.one_hot(labels, num_classes).float()
    return one_hot * (1.0 - label_smoothing) + label_smoothing / num_classes


def mixup(
    images: torch.Tensor, targets: torch.Tensor, alpha: float, rng: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Blend images [B, ...] and targets [B, C] with a shuffled copy; one Beta(alpha, alpha) share per batch."""
    if alpha == 0.0:
        return images, targets
    share = float(rng.beta(alpha, alpha))
    partner = torch.from_numpy(rng.permutation(len(images))).to(images.device)
    return (
        share * images + (1.0 - share) * images[partner],
        share * targets + (1.0 - share) * targets[partner],
    )


def soft_cross_entropy(logits: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Mean over the images of -sum over the classes of weight * target * log softmax(logits): [].

    logits, targets [B, C]; weights [C]. It divides by B, not by the sum of the weights, so the mean of the losses
    of equal parts of a batch is the loss of the batch.
    """
    return F.cross_entropy(logits, targets, weight=weights)
