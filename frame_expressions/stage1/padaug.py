"""Padding-aware augmentation: black bars like those of a face crop at the frame's edge.

Shapes: B images, C channels, H x W pixels. Source: the method's Stage I (PadAug).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from frame_expressions.runtime.errors import InputError

PATTERNS = (
    ("left",),
    ("right",),
    ("top",),
    ("bottom",),
    ("left", "top"),
    ("left", "bottom"),
    ("right", "top"),
    ("right", "bottom"),
)


@dataclass(frozen=True)
class PadAugSettings:
    """The block `stage1.padaug`.

    probability: share of the images that get bars. bar_width: narrowest and widest bar, as a share of the side.
    max_l_area: largest share of the image that an L of two bars covers. max_shift: largest shift away from the bar, as
    a share of the shorter side.
    """

    probability: float
    bar_width: Sequence[float]
    max_l_area: float
    max_shift: float


class PadAug(nn.Module):
    """Paint one of eight bar patterns on a share of the images, each pattern equally often.

    A bar is as wide as a uniform draw from `bar_width`. The two bars of an L shape are drawn until their union covers
    at most `max_l_area` of the image. Before painting, the image moves away from the bar by 1 to
    clamp(round(`max_shift` * shorter side), 1, 10) pixels, as a face does whose crop window extends beyond the frame.
    Raises InputError if no L of such bars is small enough.
    """

    def __init__(self, settings: PadAugSettings):
        super().__init__()
        narrowest, widest = settings.bar_width
        smallest_l = 2 * narrowest - narrowest**2
        if not narrowest <= widest or smallest_l >= settings.max_l_area:
            raise InputError(
                f"stage1.padaug: two bars of {narrowest:g} cover {smallest_l:.2g} of an image, which must be less than "
                f"the max_l_area of {settings.max_l_area:g}",
                "lower bar_width (first the narrower one), or raise max_l_area",
            )
        self.probability = settings.probability
        self.bar_width = settings.bar_width
        self.max_l_area = settings.max_l_area
        self.max_shift = settings.max_shift

    def forward(self, images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Return images [B, C, H, W] in [0, 1] with bars; `generator` is on the CPU."""
        batch, _, height, width = images.shape
        applied = torch.rand(batch, generator=generator) < self.probability
        pattern = torch.randint(len(PATTERNS), (batch,), generator=generator)
        on_side = {
            side: torch.tensor([side in sides for sides in PATTERNS])[pattern] & applied
            for side in ("left", "right", "top", "bottom")
        }
        vertical, horizontal = self._bar_widths(pattern, generator)
        limit = min(max(round(self.max_shift * min(height, width)), 1), 10)
        shift = torch.randint(1, limit + 1, (batch,), generator=generator)
        # A bar is never narrower than the shift, so that no strip of repeated edge pixels stays visible.
        left_right_px = torch.maximum((vertical * width).round().long(), shift)
        top_bottom_px = torch.maximum((horizontal * height).round().long(), shift)

        rows, row_black = _shift_and_cover(height, shift, top_bottom_px, on_side["top"], on_side["bottom"])
        columns, column_black = _shift_and_cover(width, shift, left_right_px, on_side["left"], on_side["right"])
        black = (row_black[:, :, None] | column_black[:, None, :])[:, None]  # [B, 1, H, W]
        image, channel = torch.arange(batch), torch.arange(images.shape[1])
        moved = images[
            image[:, None, None, None],
            channel[None, :, None, None],
            rows[:, None, :, None],
            columns[:, None, None, :],
        ]
        return moved.masked_fill(black.to(images.device), 0.0)

    def _bar_widths(self, pattern: torch.Tensor, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Widths [B] of the vertical and of the horizontal bar, as shares of the side."""
        low, high = self.bar_width
        is_l = torch.tensor([len(sides) == 2 for sides in PATTERNS])[pattern]
        bars = low + (high - low) * torch.rand(2, len(pattern), generator=generator)
        while True:
            vertical, horizontal = bars
            too_large = is_l & (vertical + horizontal - vertical * horizontal > self.max_l_area)
            if not too_large.any():
                return vertical, horizontal
            redrawn = low + (high - low) * torch.rand(2, int(too_large.sum()), generator=generator)
            bars[:, too_large] = redrawn


def _shift_and_cover(
    length: int, shift: torch.Tensor, bar_px: torch.Tensor, at_start: torch.Tensor, at_end: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Per image the source index of each pixel along one axis, and whether a bar covers it: both [B, length]."""
    position = torch.arange(length)[None]
    away = shift * (at_start.long() - at_end.long())
    source = (position - away[:, None]).clamp(0, length - 1)
    covered = (at_start[:, None] & (position < bar_px[:, None])) | (
        at_end[:, None] & (position >= length - bar_px[:, None])
    )
    return source, covered
