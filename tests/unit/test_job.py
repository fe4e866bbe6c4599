import subprocess
import sys

SCRIPT = """
import os, subprocess, sys
from workflow_scripts.lib.errors import InputError
from workflow_scripts.lib.job import log_to, progress
with log_to(sys.argv[1]):
    print("from print")
    subprocess.run(["sh", "-c", "echo from a child >&2"])
    list(progress(range(3), 3, "counting"))
    {body}
"""


def _run(tmp_path, body):
    log = tmp_path / "logs" / "job.log"
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(body=body), str(log)], capture_output=True, text=True, check=False
    )
    return done, log.read_text()


def test_all_output_goes_to_the_log(tmp_path):
    done, log = _run(tmp_path, "pass")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert "from print" in log and "from a child" in log
    assert "counting: 3 of 3 frames" in log and "\r" not in log


def test_bad_input_reaches_the_terminal_as_one_sentence(tmp_path):
    done, log = _run(tmp_path, "raise InputError('a.mp4 is empty; fetch it again.')")
    assert done.returncode == 1
    assert done.stderr == "Error: a.mp4 is empty; fetch it again.\n"
    assert "a.mp4 is empty" in log and "Traceback" not in log


def test_a_bug_leaves_its_traceback_in_the_log(tmp_path):
    done, log = _run(tmp_path, "1 / 0")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: ZeroDivisionError") and done.stderr.count("\n") == 1
    assert "Traceback" in log
