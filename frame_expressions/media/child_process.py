"""Decoding in child processes, which can be killed when a decoder hangs, crashes or takes too much memory.

A child never outlives its parent, however the parent ends, and its memory is limited. It is forked, which takes only
milliseconds, because everything that decoding imports is already loaded. Forking is safe although other libraries run
threads: the child uses nothing that they share, only FFmpeg's libraries in one thread, NumPy's copies and Pillow.
"""

import ctypes
import multiprocessing
import os
import resource
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TypeVar

from frame_expressions.media.container import REMEDY
from frame_expressions.media.limits import FRAME_TIMEOUT_S, MEMORY_MB, Limits, limit_exceeded
from frame_expressions.runtime.errors import InputError, MediaError

Item = TypeVar("Item")
MB = 1_000_000
FILES_PER_CHILD = 50
_FORK = multiprocessing.get_context("fork")
_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1  # Source: linux/prctl.h


def decode_in_child(items: Callable[[], Iterator[Item]], path: Path, limits: Limits) -> Iterator[Item]:
    """Run `items()` in a child process and yield its items, which must pickle.

    Raises what the child raises, and MediaError if it yields nothing for `limits.frame_timeout_s`, needs more memory
    than `limits.memory_mb`, or crashes. Raises MemoryError if the system kills it, which is not the file's fault, and
    InputError in a process that may not have children.
    """
    if multiprocessing.current_process().daemon:
        raise InputError(
            f"{path} is decoded in a child process, which a worker of multiprocessing.Pool may not have",
            "use concurrent.futures.ProcessPoolExecutor instead",
        )
    receiver, sender = _FORK.Pipe(duplex=False)
    child = _FORK.Process(target=_send, args=(items, sender, receiver, limits.memory_mb, os.getpid()), daemon=True)
    child.start()
    sender.close()
    try:
        while True:
            if not receiver.poll(limits.frame_timeout_s):
                raise limit_exceeded(path, "yielded no new frame in time", FRAME_TIMEOUT_S, limits.frame_timeout_s)
            try:
                error, items_left, item = receiver.recv()
            except EOFError:
                child.join()
                raise _crash(path, child.exitcode) from None
            if isinstance(error, MemoryError):
                raise limit_exceeded(path, "takes more memory to decode", MEMORY_MB, limits.memory_mb) from error
            if error is not None:
                raise error
            if not items_left:
                return
            yield item
    finally:
        child.kill()
        child.join()
        receiver.close()


def look_at_each(
    look: Callable[[Path], Iterator[Item | None]], paths: Sequence[Path], limits: Limits
) -> Iterator[tuple[Path, list[Item] | InputError]]:
    """Each file with what `look(path)` yields in a child process, or with the error that it raises there.

    look: may yield None, as a sign of life, which is left out. One child looks at many files, since starting one takes
    longer than reading a header. If it hangs or crashes, the file is looked at once more in a child of its own, as
    `decode_in_child` does, and its error is the file's.
    """
    waiting = list(paths)
    while waiting:
        done = 0
        try:
            group = waiting[:FILES_PER_CHILD]
            for found in decode_in_child(partial(_look_at_group, look, group), group[0], limits):
                if found is not None:
                    yield waiting[done], found
                    done += 1
        except MediaError:
            yield waiting[done], _look_alone(look, waiting[done], limits)
            done += 1
        waiting = waiting[done:]


def _look_at_group(look: Callable[[Path], Iterator], paths: Sequence[Path]) -> Iterator[list | InputError | None]:
    for path in paths:
        found: list | InputError = []
        try:
            for item in look(path):
                yield None
                if item is not None:
                    found.append(item)
        except InputError as error:
            found = error
        yield found


def _look_alone(look: Callable[[Path], Iterator], path: Path, limits: Limits) -> list | InputError:
    try:
        return [item for item in decode_in_child(partial(look, path), path, limits) if item is not None]
    except InputError as error:
        return error


def _send(items: Callable[[], Iterator], sender: Connection, receiver: Connection, memory_mb: int, parent: int) -> None:
    receiver.close()
    _bind(parent, _data_bytes() + memory_mb * MB)
    try:
        for item in items():
            sender.send((None, True, item))
        sender.send((None, False, None))
    except Exception as error:
        sender.send((error, False, None))


def _bind(parent: int, num_bytes: int) -> None:
    """Make the current process die with its parent, die immediately on Ctrl-C, and use at most `num_bytes`."""
    if sys.platform == "linux":
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # the parent ended before the line above
            os._exit(1)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # RLIMIT_DATA counts writable memory; RLIMIT_AS would also count what libraries and threads merely reserve.
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    largest = num_bytes if hard == resource.RLIM_INFINITY else min(num_bytes, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (largest, largest))


def _data_bytes() -> int:
    """Memory of the current process that RLIMIT_DATA counts; a forked process starts with its parent's."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[5])
    except FileNotFoundError:
        return 0
    return pages * resource.getpagesize()


def _crash(path: Path, exit_code: int) -> Exception:
    """The error for a child that ended without a message. exit_code: if negative, the signal that killed it."""
    if exit_code == -signal.SIGKILL:
        return MemoryError(f"the system killed the process that decoded {path}")
    name = signal.Signals(-exit_code).name if exit_code < 0 else f"exit status {exit_code}"
    return MediaError(f"{path} crashed its decoder ({name})", REMEDY)
