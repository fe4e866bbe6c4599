"""Where and how precisely the networks run."""

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
    """Fix torch's thread count and return the device: `auto` takes the GPU where there is one.

    The count comes from the configuration, not from the scheduler, since sums depend on it in their last bits:
    the same configuration gives the same bytes whatever `--cores` is. Raises InputError for `cuda` without a GPU.

    dtype: what the networks will compute in; one that takes far longer than float32 here is warned of.
    """
    if device == "cuda" and not torch.cuda.is_available():
        why = "finds no GPU here" if torch.version.cuda else "is built without CUDA"
        raise InputError(
            f"compute.device is cuda, but torch {torch.__version__} {why}",
            "set compute.device to auto or cpu, or run on a machine with a GPU and a torch for it",
        )
    torch.set_num_threads(num_threads)
    chosen = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    logging.info("torch %s on %s, %d threads", torch.__version__, chosen, num_threads)
    if not computes_in(dtype, chosen):
        logging.warning(
            "this processor has no arithmetic in %s, which takes several times as long here as float32; choose "
            "float32, or a machine with a GPU",
            dtype,
        )
    return chosen


def computes_in(dtype: str, device: str) -> bool:
    """Whether a device has arithmetic of that precision; on a processor without it, torch imitates it slowly."""
    if device != "cpu" or dtype == "float32":
        return True
    suffix = {"bfloat16": "bf16", "float16": "fp16"}[dtype]
    return any(there for name, there in torch.cpu.get_capabilities().items() if name.endswith(suffix))


def map_in_threads(function: Callable[[_Item], _Result], items: Iterable[_Item], num_threads: int) -> Iterator[_Result]:
    """The results in the items' order, `num_threads` of them under way while the one before them is used.

    Each thread works alone: torch does not share an operation among threads meanwhile, so that none waits for another
    and results are the same with any number of them. No more items are drawn than are under way.
    """
    usual = torch.get_num_threads()
    under_way = deque()
    try:
        with ThreadPoolExecutor(num_threads, initializer=torch.set_num_threads, initargs=(1,)) as threads:
            for item in items:
                under_way.append(threads.submit(function, item))
                if len(under_way) > num_threads:
                    yield under_way.popleft().result()
            while under_way:
                yield under_way.popleft().result()
    finally:
        torch.set_num_threads(usual)  # what was set above also holds for threads to come


def on_own_stream(batches: Iterator[_Tensors], device: torch.device) -> Iterator[_Tensors]:
    """The batches as they are; before a GPU each is made while the GPU works with the one before it.

    Making one waits for the GPU at copies and masks: on a stream of its own not for the work on the batch before.
    """
    if device.type != "cuda":
        yield from batches
        return
    beside = torch.cuda.Stream(device)
    while True:
        with torch.cuda.stream(beside):
            batch = next(batches, None)
        if batch is None:
            return
        usual = torch.cuda.current_stream(device)
        usual.wait_stream(beside)
        for tensor in batch:
            tensor.record_stream(usual)
        yield batch
