"""Arrays that others give as .npy files: read without running any code of theirs."""

import tokenize
from pathlib import Path

import numpy as np

from frame_expressions.runtime.errors import InputError

# What NumPy raises for a header or content that is not what it should be.
_DAMAGED = (ValueError, TypeError, SyntaxError, EOFError, OSError, OverflowError, MemoryError, tokenize.TokenError)


def read_npy(path: Path) -> np.ndarray:
    """The array of an .npy file; raises InputError for a file that is none, is cut off, or holds Python objects."""
    try:
        with path.open("rb") as handle:
            return np.lib.format.read_array(handle, allow_pickle=False)
    except _DAMAGED as error:
        said = " ".join(str(error).split())[:160] or type(error).__name__
        raise InputError(f"{path} cannot be read as an .npy array of numbers ({said})", "fetch it again") from None
