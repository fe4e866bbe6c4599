"""Stage I's images and their batches.

Shapes: B images of a batch, S stored side.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, default_collate

from frame_expressions.encoders.preprocessing import UNREADABLE, decode
from frame_expressions.faces.resizing import resize
from frame_expressions.runtime.errors import InputError

_Item = tuple[torch.Tensor, int]


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
        side = min(rgb.shape[:2])
        top, left = (rgb.shape[0] - side) // 2, (rgb.shape[1] - side) // 2
        square = np.ascontiguousarray(rgb[top : top + side, left : left + side])
        return torch.tensor(resize(square, self.stored_px)), int(self.labels[index])

    def __getitems__(self, indices: list[int]) -> list[_Item] | InputError:
        """The items of a batch, or the error of the first that cannot be read.

        torch calls this method in the decoding processes. It would pass a raised error on as the text of a traceback.
        """
        try:
            return [self[index] for index in indices]
        except InputError as error:
            return error


def image_loader(
    images: ImageDataset, batch_size: int, num_workers: int, shuffler: torch.Generator | None = None
) -> DataLoader:
    """A loader of `batches`. shuffler: draws the order of training images, whose last, smaller batch is left out."""
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
    """Images uint8 [B, S, S, 3] and classes int64 [B]. Raises a decoding process's InputError in this process."""
    for batch in loader:
        if isinstance(batch, InputError):
            raise batch
        yield batch


def _collate(items: list[_Item] | InputError) -> list[torch.Tensor] | InputError:
    return items if isinstance(items, InputError) else default_collate(items)
