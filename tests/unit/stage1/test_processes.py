import os

import pytest
import torch

from frame_expressions.stage1.processes import run_in_processes


def put_together(*, folder, num_threads):
    """Add up the processes' numbers, then let the second one fail while the first one waits for it."""
    number = torch.tensor(int(os.environ["RANK"]) + 10)
    torch.distributed.all_reduce(number)
    (folder / os.environ["RANK"]).write_text(f"{number} {os.environ['WORLD_SIZE']} {num_threads}")
    if os.environ["RANK"] == "1":
        1 / 0  # noqa: B018
    torch.distributed.barrier()


def note_threads(*, folder, num_threads):
    (folder / "alone").write_text(f"{os.getpid()} {num_threads}")


def test_processes_work_together_and_end_together(tmp_path, caplog):
    with pytest.raises(RuntimeError, match="one of 2 processes failed with ZeroDivisionError: division by zero"):
        run_in_processes(put_together, 2, 5, {"folder": tmp_path})
    assert [(tmp_path / name).read_text() for name in "01"] == ["21 2 2"] * 2
    assert "in put_together" in caplog.text  # where it failed


def test_one_process_is_this_one(tmp_path):
    run_in_processes(note_threads, 1, 5, {"folder": tmp_path})
    assert (tmp_path / "alone").read_text() == f"{os.getpid()} 5"
