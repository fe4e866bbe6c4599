"""Training curves while the training runs, as TensorBoard event files beside the job's log.

`tensorboard --logdir results/logs` shows them.
"""

import shutil
from pathlib import Path

from tensorboardX import SummaryWriter


class TensorBoardLog:
    """Event files of one training, in a folder of their own, in place of an earlier training's."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._empty = False

    def add(self, row: dict) -> None:
        """A row of a training's history: its `epoch`, and numbers by name; on disk when this returns."""
        if not self._empty:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._empty = True
        # A file for each row: only closing makes the writer wait for what it was given.
        with SummaryWriter(str(self._folder), filename_suffix=f".{row['epoch']:05d}") as writer:
            for name, value in row.items():
                if name != "epoch":
                    writer.add_scalar(name, value, row["epoch"])


def tensorboard_folder(log: str | Path) -> Path:
    """The folder of the curves that belong to a job's log."""
    return Path(log).with_suffix(".curves")
