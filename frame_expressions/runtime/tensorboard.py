"""Training curves as TensorBoard event files next to the job's log, written while the training runs.

View them with `tensorboard --logdir results/logs`.
"""

import shutil
from pathlib import Path

from tensorboardX import SummaryWriter


class TensorBoardLog:
    """Event files of one training in a folder of their own; they replace those of an earlier training."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._empty = False

    def add(self, row: dict) -> None:
        """Write a row of the training history: `epoch` and numbers by name. The row is on disk when this returns."""
        if not self._empty:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._empty = True
        # One file per row: only closing the writer waits until everything is written.
        with SummaryWriter(str(self._folder), filename_suffix=f".{row['epoch']:05d}") as writer:
            for name, value in row.items():
                if name != "epoch":
                    writer.add_scalar(name, value, row["epoch"])


def tensorboard_folder(log: str | Path) -> Path:
    """The folder for the training curves that belong to a job's log."""
    return Path(log).with_suffix(".curves")
