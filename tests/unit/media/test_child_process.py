"""Decoding in a child process: what it yields, what ends it, and that nothing of it stays."""

import faulthandler
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest

from frame_expressions.media.child_process import decode_in_child, look_at_each
from frame_expressions.media.limits import Limits
from frame_expressions.runtime.errors import InputError, MediaError
from tests.conftest import ROOT
from tests.media import LIMITS

CLEAN = multiprocessing.get_context("spawn")  # a fork would have the threads of earlier tests without their work
TIGHT = Limits(**LIMITS | {"frame_timeout_s": 2, "memory_mb": 100})


def apart(tmp_path, items):
    return decode_in_child(items, tmp_path / "v.mp4", TIGHT)


def running(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_items_come_in_order_from_another_process(tmp_path):
    def items():
        yield os.getpid()
        yield from range(1000)
        yield np.arange(100_000)  # more than a pipe holds

    child, *numbers, last = apart(tmp_path, items)
    assert child != os.getpid() and numbers == list(range(1000)) and last[-1] == 99_999
    assert not running(child)


def first_item(path):
    return next(decode_in_child(lambda: iter([path.name]), path, TIGHT))


def test_pools_of_processes_can_decode_or_say_which_can(tmp_path):
    path = tmp_path / "v.mp4"
    with ProcessPoolExecutor(1, mp_context=CLEAN) as pool:
        assert pool.submit(first_item, path).result() == "v.mp4"
    with CLEAN.Pool(1) as pool, pytest.raises(InputError, match=r"v\.mp4 is decoded in a child.*ProcessPoolExecutor"):
        pool.apply(first_item, (path,))


def test_a_child_ends_with_its_reader(tmp_path):
    def items():
        while True:
            yield os.getpid()

    frames = apart(tmp_path, items)
    child = next(frames)
    assert child != os.getpid() and running(child)
    frames.close()
    assert not running(child)


def test_errors_of_the_child_are_raised_here(tmp_path):
    def items():
        yield 1
        raise MediaError("v.mp4 is bad", "fix it", "its last line")

    frames = apart(tmp_path, items)
    assert next(frames) == 1
    with pytest.raises(MediaError, match=r"^v\.mp4 is bad; fix it\.$") as refused:
        next(frames)
    assert refused.value.ffmpeg == "its last line"


def test_a_decoder_that_is_stuck_is_ended(tmp_path):
    def items():
        yield os.getpid()
        time.sleep(60)

    frames = apart(tmp_path, items)
    child, started = next(frames), time.monotonic()
    with pytest.raises(
        MediaError, match=r"v\.mp4 yielded no new frame in time, and execution\.limits\.frame_timeout_s is 2;"
    ):
        next(frames)
    assert time.monotonic() - started < 20 and not running(child)


def test_a_reader_that_takes_its_time_is_no_reason_to_end_the_decoder(tmp_path):
    frames = apart(tmp_path, lambda: iter(range(20_000)))
    next(frames)
    time.sleep(2.5)
    assert len(list(frames)) == 19_999


def test_a_decoder_that_takes_too_much_memory_is_refused(tmp_path):
    with pytest.raises(
        MediaError, match=r"v\.mp4 takes more memory to decode, and execution\.limits\.memory_mb is 100;"
    ):
        list(apart(tmp_path, lambda: iter([np.ones(20_000_000).sum()])))
    assert list(apart(tmp_path, lambda: iter([np.ones(5_000_000).sum()]))) == [5_000_000]


def test_a_decoder_that_crashes_refuses_its_file_and_one_that_the_system_ended_does_not(tmp_path):
    def crash():
        faulthandler.disable()  # whose traces would look like a failure of this test's
        os.kill(os.getpid(), signal.SIGSEGV)
        yield

    with pytest.raises(MediaError, match=r"v\.mp4 crashed its decoder \(SIGSEGV\); replace it"):
        list(apart(tmp_path, crash))
    with pytest.raises(MemoryError, match="the system killed the process that decoded"):
        list(apart(tmp_path, lambda: iter([os.kill(os.getpid(), signal.SIGKILL)])))


PARENT = """
    import os, subprocess, sys, time
    from pathlib import Path
    from tests.media import LIMITS
    from frame_expressions.media.child_process import decode_in_child, look_at_each
    from frame_expressions.media.limits import Limits

    def items():
        yield os.getpid()
        time.sleep(60)

    print(next(frames := decode_in_child(items, Path("v.mp4"), Limits(**LIMITS))), flush=True)
    time.sleep(60)
"""


def test_children_die_with_a_parent_that_is_killed():
    command = [sys.executable, "-c", textwrap.dedent(PARENT)]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    started = int(parent.stdout.readline())
    assert running(started)
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 5
    while running(started) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not running(started)


def test_many_files_share_a_child_and_one_that_crashes_it_loses_no_other(tmp_path):
    """Each file yields its name and the process that looked at it; one raises, one crashes, one hangs."""

    def look(path):
        yield None
        if path.name == "bad":
            raise MediaError(f"{path} is bad", "replace it")
        if path.name == "crash":
            os._exit(3)
        if path.name == "hang":
            time.sleep(60)
        yield path.name
        yield os.getpid()

    names = ["a", "bad", "b", "crash", "c", "hang", "d"]
    found = {path.name: item for path, item in look_at_each(look, [tmp_path / name for name in names], TIGHT)}
    assert list(found) == names
    assert [found[name][0] for name in "abcd"] == list("abcd")
    assert found["a"][1] == found["b"][1] not in (found["c"][1], os.getpid())
    assert str(found["bad"]).endswith("is bad; replace it.")
    assert "crash crashed its decoder (exit status 3)" in str(found["crash"])
    assert "hang yielded no new frame in time" in str(found["hang"])
