"""Reads .npy files from outside the project without executing code that they may contain."""

import tokenize
from pathlib import Path

import numpy as np

from frame_expressions.runtime.errors import InputError

# What NumPy raises for a damaged header or content.
_DAMAGED = (ValueError, TypeError, SyntaxError, EOFError, OSError, OverflowError, MemoryError, tokenize.TokenError)


def read_npy(path: Path) -> np.ndarray:
    """The array of an .npy file; raises InputError if it is not one, is cut off, or holds Python objects."""
    try:
        with path.open("rb") as handle:
            return np.lib.format.read_array(handle, allow_pickle=False)
    except _DAMAGED as error:
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise InputError(f"{path} cannot be read as an .npy array of numbers ({reason})", "download it again") from None
