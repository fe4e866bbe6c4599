"""Device, precision and threads of the networks."""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

from frame_expressions.runtime.errors import InputError

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}

_Item, _Result = TypeVar("_Item"), TypeVar("_Result")
_Tensors = tuple[torch.Tensor, ...]


def start_torch(device: str, num_threads: int, dtype: str = "float32") -> str:
    """Fix torch's thread count and return the device; `auto` is the GPU if there is one.

    The count comes from the configuration, not from the scheduler, because the last bits of sums depend on it: the same
    configuration gives the same bytes for any `--cores`. Raises InputError for `cuda` without a GPU.

    dtype: precision of the networks; logs a warning for one that is far slower than float32 on this machine.
    """
    if device == "cuda" and not torch.cuda.is_available():
        why = "finds no GPU" if torch.version.cuda else "is built without CUDA"
        raise InputError(
            f"compute.device is cuda, but torch {torch.__version__} {why}",
            "set compute.device to auto or cpu, or use a machine with a GPU and a build of torch with CUDA",
        )
    torch.set_num_threads(num_threads)
    chosen = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    logging.info("torch %s on %s, %d threads", torch.__version__, chosen, num_threads)
    if not computes_in(dtype, chosen):
        logging.warning(
            "this CPU has no arithmetic in %s, so it takes several times as long as float32; choose float32, or a "
            "machine with a GPU",
            dtype,
        )
    return chosen


def computes_in(dtype: str, device: str) -> bool:
    """Whether a device has native arithmetic of that precision; on a CPU without it, torch emulates it slowly."""
    if device != "cpu" or dtype == "float32":
        return True
    suffix = {"bfloat16": "bf16", "float16": "fp16"}[dtype]
    return any(there for name, there in torch.cpu.get_capabilities().items() if name.endswith(suffix))


def map_in_threads(function: Callable[[_Item], _Result], items: Iterable[_Item], num_threads: int) -> Iterator[_Result]:
    """The results in the items' order; `num_threads` items are in progress while the caller uses a result.

    Each thread works on its own: torch does not split an operation among threads meanwhile, so no thread waits for
    another, and the results do not depend on their number. Only items in progress are drawn.
    """
    usual = torch.get_num_threads()
    in_progress = deque()
    try:
        with ThreadPoolExecutor(num_threads, initializer=torch.set_num_threads, initargs=(1,)) as threads:
            for item in items:
                in_progress.append(threads.submit(function, item))
                if len(in_progress) > num_threads:
                    yield in_progress.popleft().result()
            while in_progress:
                yield in_progress.popleft().result()
    finally:
        torch.set_num_threads(usual)  # the initializer's value also holds for later threads


def on_own_stream(batches: Iterator[_Tensors], device: torch.device) -> Iterator[_Tensors]:
    """The batches, unchanged; on a GPU, each is prepared while the GPU works on the previous batch.

    Preparing a batch waits for the GPU at copies and masks. On a stream of its own, it does not wait for the work on
    the previous batch.
    """
    if device.type != "cuda":
        yield from batches
        return
    preparing = torch.cuda.Stream(device)
    while True:
        with torch.cuda.stream(preparing):
            batch = next(batches, None)
        if batch is None:
            return
        main = torch.cuda.current_stream(device)
        main.wait_stream(preparing)
        for tensor in batch:
            tensor.record_stream(main)
        yield batch
