import subprocess
import sys

import pytest

SCRIPT = """
import os, subprocess, sys
from frame_expressions.runtime.errors import InputError
from frame_expressions.runtime.job import log_to, progress
with log_to(sys.argv[1]{settings}):
    print("from print")
    subprocess.run(["sh", "-c", "echo from a child >&2"])
    list(progress(range(3), 3, "counting"))
    {body}
"""


def _run(tmp_path, body, settings=""):
    log = tmp_path / "logs" / "job.log"
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(body=body, settings=settings), str(log)],
        capture_output=True,
        text=True,
        check=False,
    )
    return done, log.read_text()


def test_all_output_goes_to_the_log(tmp_path):
    done, log = _run(tmp_path, "pass")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert "from print" in log and "from a child" in log
    assert "counting: 3 of 3 frames" in log and "\r" not in log


def test_bad_input_reaches_the_terminal_as_one_sentence(tmp_path):
    done, log = _run(tmp_path, "raise InputError('a.mp4 is empty', 'fetch it again')")
    assert done.returncode == 1
    assert done.stderr == "Error: a.mp4 is empty; fetch it again.\n"
    assert "a.mp4 is empty" in log and "Traceback" not in log


def test_a_bug_leaves_its_traceback_in_the_log(tmp_path):
    done, log = _run(tmp_path, "1 / 0")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: ZeroDivisionError") and done.stderr.count("\n") == 1
    assert "Traceback" in log


@pytest.mark.parametrize(
    ("failure", "sentence"),
    [
        (
            "import torch; raise torch.cuda.OutOfMemoryError('CUDA out of memory. Tried to allocate 2 GiB.')",
            "out of memory (CUDA out of memory. Tried to allocate 2 GiB.); lower a.batch_size.",
        ),
        ("raise MemoryError", "out of memory (MemoryError); lower a.batch_size."),
        (
            "import torch; torch.empty(1 << 50)",
            "DefaultCPUAllocator: can't allocate memory: you tried to allocate",
        ),
        (
            "raise OSError(28, 'No space left on device', 'results/x')",
            "no space is left on the disk ([Errno 28] No space left on device: 'results/x'); free some, or",
        ),
        (
            "raise RuntimeError('SafetensorError: No space left on device')",
            "no space is left on the disk (SafetensorError: No space left on device); free some",
        ),
        (
            "raise OSError(24, 'Too many open files', '/dev/null')",
            "the open-file limit is too low ([Errno 24] Too many open files: '/dev/null'); run `ulimit -n 4096`",
        ),
        (
            "raise PermissionError(13, 'Permission denied', 'results/x')",
            "a file cannot be read or written ([Errno 13] Permission denied: 'results/x'); fix the permissions",
        ),
    ],
)
def test_a_limit_of_the_machine_is_named_with_what_to_do(tmp_path, failure, sentence):
    done, log = _run(tmp_path, failure, ", on_little_memory='lower a.batch_size'")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: ") and sentence in done.stderr and done.stderr.count("\n") == 1
    assert "Traceback" not in log and sentence in log


def test_without_a_setting_to_lower_fewer_jobs_are_advised(tmp_path):
    done, _ = _run(tmp_path, "raise MemoryError")
    assert "; lower --cores to run fewer jobs at a time." in done.stderr
