"""Run one function in several processes of this machine, set up as accelerate expects."""

import logging
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from multiprocessing.queues import SimpleQueue
from pathlib import Path

import torch
import torch.distributed
from torch.multiprocessing.spawn import ProcessException

from frame_expressions.runtime.errors import InputError


def run_in_processes(function: Callable, num_processes: int, num_threads: int, settings: dict) -> None:
    """Call `function(**settings, num_threads=...)` in `num_processes` processes that share `num_threads`.

    If `num_processes` is 1, it runs in this process. `function` must be at the top level of a module. Only the first
    process logs messages below ERROR. When one fails, all end: its InputError is raised in this process, any other
    exception as RuntimeError.
    """
    if num_processes == 1:
        function(**settings, num_threads=num_threads)
        return
    usual_start = torch.multiprocessing.get_start_method()
    # Spawned: torch's threads and its GPU context, which forked processes inherit, do not work in them.
    failures = torch.multiprocessing.get_context("spawn").SimpleQueue()
    settings = settings | {"num_threads": max(num_threads // num_processes, 1)}
    with tempfile.TemporaryDirectory() as folder:
        place = (num_processes, Path(folder) / "meeting_point", usual_start, failures)
        try:
            torch.multiprocessing.spawn(_process, (*place, function, settings), num_processes)
        except ProcessException as error:
            if failures.empty():  # it was killed
                raise
            # The first failure is the cause; the other processes fail because that process is gone.
            cause, trace = failures.get()
            if isinstance(cause, InputError):
                raise cause from None
            logging.error("%s", trace)
            raise RuntimeError(f"one of {num_processes} processes failed with {cause}") from error


def _process(
    index: int,
    num_processes: int,
    meeting_point: Path,
    usual_start: str,
    failures: SimpleQueue,
    function: Callable,
    settings: dict,
) -> None:
    # torch interrupts these processes when their parent dies; a background job would ignore the signal.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # Otherwise the processes that decode images would be spawned too, and import for seconds in every epoch.
    torch.multiprocessing.set_start_method(usual_start, force=True)
    level = logging.INFO if index == 0 else logging.ERROR
    logging.basicConfig(level=level, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    # accelerate reads its rank from these; without a thread count, it would use all cores.
    os.environ |= {"LOCAL_RANK": str(index), "RANK": str(index)}
    os.environ |= {"LOCAL_WORLD_SIZE": str(num_processes), "WORLD_SIZE": str(num_processes)}
    os.environ["OMP_NUM_THREADS"] = str(settings["num_threads"])
    try:
        torch.distributed.init_process_group(init_method=meeting_point.as_uri(), rank=index, world_size=num_processes)
        function(**settings)
        torch.distributed.destroy_process_group()
    except Exception as error:
        # Any other error may not pickle.
        cause = error if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
        failures.put((cause, traceback.format_exc()))
        raise
