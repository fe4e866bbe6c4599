"""Stage I's augmentation of a batch, in the method's order; kornia does everything except PadAug.

The first step, the random crop, is taken when an image is decoded (`dataset.RandomCropDataset`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import kornia.augmentation as K
import torch
from torch import nn

from frame_expressions.encoders.preprocessing import IMAGENET_MEAN, IMAGENET_STD


@dataclass(frozen=True)
class AugmentationSettings:
    """The block `stage1.augmentation` of the configuration, which documents each setting."""

    crop_scale: Sequence[float]
    flip_p: float
    jitter: Sequence[float]
    jitter_p: float
    gray_p: float
    blur_sigma: Sequence[float]
    blur_p: float
    erase_scale: Sequence[float]
    erase_p: float


class Augmentation(nn.Module):
    """Flip, colour, blur, PadAug, normalise, erase: [B, 3, P, P] in [0, 1] -> [B, 3, P, P], RGB.

    A probability of 0 omits a step.
    """

    def __init__(self, settings: AugmentationSettings, padaug: nn.Module):
        super().__init__()
        self.before = K.AugmentationSequential(
            *_likely(K.RandomHorizontalFlip(p=settings.flip_p)),
            *_likely(K.ColorJitter(*settings.jitter, p=settings.jitter_p)),
            *_likely(K.RandomGrayscale(p=settings.gray_p)),
            *_likely(K.RandomGaussianBlur((3, 3), settings.blur_sigma, p=settings.blur_p)),
        )
        self.padaug = padaug
        self.after = K.AugmentationSequential(
            K.Normalize(mean=torch.tensor(IMAGENET_MEAN), std=torch.tensor(IMAGENET_STD)),
            *_likely(K.RandomErasing(p=settings.erase_p, scale=settings.erase_scale)),
        )

    @torch.no_grad()
    def forward(self, images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        # kornia draws from the global generator only: seed that, and restore its state afterwards.
        seed = int(torch.randint(2**62, (), generator=generator))
        with torch.random.fork_rng(devices=[images.device] if images.is_cuda else []):
            torch.manual_seed(seed)
            images = self.padaug(self.before(images), generator)
            return self.after(images)


def _likely(step: K.AugmentationBase2D) -> list[K.AugmentationBase2D]:
    """The step, or nothing if its probability is 0, since kornia would spend time on it anyway."""
    return [step] if step.p > 0 and step.p_batch > 0 else []
