"""Where and how precisely the networks run."""

import logging

import torch

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def start_torch(device: str, num_threads: int) -> str:
    """Fix torch's thread count and return the device: `auto` takes the GPU where there is one.

    The count comes from the configuration, not from the scheduler, since sums depend on it in their last bits:
    the same configuration gives the same bytes whatever `--cores` is.
    """
    torch.set_num_threads(num_threads)
    chosen = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    logging.info("torch %s on %s, %d threads", torch.__version__, chosen, num_threads)
    return chosen
