"""Stage I's images and their batches.

Shapes: B images of a batch, S stored side, P input side.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, default_collate

from frame_expressions.encoders.preprocessing import UNREADABLE, decode
from frame_expressions.faces.resizing import resize
from frame_expressions.runtime.errors import InputError
from frame_expressions.stage1.random_crop import draw_window

_Item = tuple[torch.Tensor, int]

_CROPS = 3
"""Sets the seeds of the windows apart from those of an epoch's other draws (`training`)."""


class ImageDataset(Dataset):
    """Image files with their classes: items are (uint8 [S, S, 3] RGB, class), cut to the middle square."""

    def __init__(self, paths: Sequence[Path], labels: np.ndarray, stored_px: int):
        self.paths = list(paths)
        self.labels = np.asarray(labels, dtype=np.int64)
        self.stored_px = stored_px

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> _Item:
        path = self.paths[index]
        try:
            rgb = decode(path)
        except UNREADABLE as error:
            raise InputError(
                f"{path} is not a readable image ({error})", "restore it, or remove it from the image set"
            ) from error
        return torch.tensor(self._cut(rgb, index)), int(self.labels[index])

    def __getitems__(self, indices: list[int]) -> list[_Item] | InputError:
        """The items of a batch, or the error of the first that cannot be read.

        torch calls this method in the decoding processes. It would pass a raised error on as the text of a traceback.
        """
        try:
            return [self[index] for index in indices]
        except InputError as error:
            return error

    def _cut(self, rgb: np.ndarray, index: int) -> np.ndarray:
        """The middle square of image number `index`, uint8 [H, W, 3], resized to S."""
        side = min(rgb.shape[:2])
        top, left = (rgb.shape[0] - side) // 2, (rgb.shape[1] - side) // 2
        return resize(rgb[top : top + side, left : left + side], self.stored_px)


class RandomCropDataset(ImageDataset):
    """Training images: items are (uint8 [P, P, 3] RGB, class), a random window of the image as it is on disk.

    crop_scale: smallest and largest area of the window, as a share of the image's. A window follows from the seed, the
    epoch and the number of the image alone, whichever process decodes it.
    """

    def __init__(self, paths: Sequence[Path], labels: np.ndarray, image_px: int, crop_scale: Sequence[float]):
        super().__init__(paths, labels, image_px)
        self.crop_scale = crop_scale
        self._seed = [0, 0]

    def start_epoch(self, seed: int, epoch: int) -> None:
        """Draw other windows from now on; call it before the loader starts its decoding processes.

        Not named set_epoch: accelerate would call that with its own count, which restarts at 0 when training resumes.
        """
        self._seed = [seed, epoch]

    def _cut(self, rgb: np.ndarray, index: int) -> np.ndarray:
        window = draw_window(*rgb.shape[:2], self.crop_scale, np.random.default_rng([*self._seed, _CROPS, index]))
        return resize(rgb[window], self.stored_px)


def image_loader(
    images: ImageDataset, batch_size: int, num_workers: int, shuffler: torch.Generator | None = None
) -> DataLoader:
    """A loader of `batches`. shuffler: draws the order of training images, whose last, smaller batch is left out.

    num_workers: decoding processes; if there are any, this process must not have called `resize`, because the threads
    of kornia-rs do not work in forked processes.
    """
    return DataLoader(
        images,
        batch_size=batch_size,
        shuffle=shuffler is not None,
        drop_last=shuffler is not None,
        num_workers=num_workers,
        generator=shuffler,
        collate_fn=_collate,
    )


def batches(loader: DataLoader) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Images uint8 [B, S, S, 3], or [B, P, P, 3] for training, and classes int64 [B].

    Raises a decoding process's InputError in this process.
    """
    for batch in loader:
        if isinstance(batch, InputError):
            raise batch
        yield batch


def _collate(items: list[_Item] | InputError) -> list[torch.Tensor] | InputError:
    return items if isinstance(items, InputError) else default_collate(items)
