"""Stage I's augmentation of a batch, in the method's order; kornia does all but PadAug."""

import kornia.augmentation as K
import torch
from torch import nn


class Augmentation(nn.Module):
    """Crop, flip, colour, blur, PadAug, normalise, erase: [B, 3, S, S] in [0, 1] -> [B, 3, P, P], RGB.

    S is the stored size, P = `image_px`. A probability of 0 leaves a step out.
    """

    def __init__(
        self,
        *,
        image_px: int,
        mean: list[float],
        std: list[float],
        padaug: nn.Module,
        crop_scale: tuple[float, float],
        flip_p: float,
        jitter: tuple[float, float, float, float],
        jitter_p: float,
        gray_p: float,
        blur_sigma: tuple[float, float],
        blur_p: float,
        erase_scale: tuple[float, float],
        erase_p: float,
    ):
        super().__init__()
        self.before = K.AugmentationSequential(
            K.RandomResizedCrop((image_px, image_px), scale=crop_scale, resample="bicubic"),
            *_likely(K.RandomHorizontalFlip(p=flip_p)),
            *_likely(K.ColorJitter(*jitter, p=jitter_p)),
            *_likely(K.RandomGrayscale(p=gray_p)),
            *_likely(K.RandomGaussianBlur((3, 3), blur_sigma, p=blur_p)),
        )
        self.padaug = padaug
        self.after = K.AugmentationSequential(
            K.Normalize(mean=torch.tensor(mean), std=torch.tensor(std)),
            *_likely(K.RandomErasing(p=erase_p, scale=erase_scale)),
        )

    @torch.no_grad()
    def forward(self, images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        # kornia draws from the global generator only: lend it a seed of ours and give the state back.
        seed = int(torch.randint(2**62, (), generator=generator))
        with torch.random.fork_rng(devices=[images.device] if images.is_cuda else []):
            torch.manual_seed(seed)
            images = self.before(images).clamp(0.0, 1.0)  # bicubic overshoots
            images = self.padaug(images, generator)
            return self.after(images)


def _likely(step: K.AugmentationBase2D) -> list[K.AugmentationBase2D]:
    """The step, or nothing where it never happens: kornia would spend time on it all the same."""
    return [step] if step.p > 0 and step.p_batch > 0 else []
