"""Published weights: read without running code from the file, and checked for names, shapes and finite values."""

import pickle
import struct
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from frame_expressions.artifacts.npy import read_npy
from frame_expressions.runtime.errors import InputError

WRAPPINGS = ("model", "state_dict", "teacher")
"""Entries of a training checkpoint that hold the weights, next to the optimizer's state and the like."""

# Training checkpoints often contain NumPy statistics besides the weights. These rebuild an array from its bytes and run
# nothing else; NumPy 1 and 2 name them differently.
_NUMPY = [
    np.ndarray,
    np.dtype,
    *{type(np.dtype(kind)) for kind in ("f2", "f4", "f8", "i4", "i8", "?")},
    *(
        (function, f"numpy.{core}.multiarray.{function.__name__}")
        for core in ("core", "_core")
        for function in (np._core.multiarray._reconstruct, np._core.multiarray.scalar)
    ),
]

# Exceptions of torch's weights-only reader for a damaged file.
_DAMAGED = (RuntimeError, LookupError, TypeError, ValueError, AttributeError, AssertionError, EOFError, struct.error)


def read_state_dict(path: Path) -> dict[str, torch.Tensor]:
    """Read named tensors, as stored, from a .safetensors file or a PyTorch .pt, .pth or .bin checkpoint.

    The weights of a checkpoint are at its top or under one of `WRAPPINGS`. Raises InputError for a file that is cut
    off, holds anything but tensors there, or cannot be read without running code.
    """
    path = Path(path)
    if path.suffix == ".safetensors":
        try:
            return load_file(path)
        except SafetensorError as error:
            raise InputError(f"{path} cannot be read as safetensors ({error})", "fetch it again") from error
    if path.suffix not in (".pt", ".pth", ".bin"):
        raise InputError(f"{path} is neither .safetensors nor .pt, .pth or .bin", "give the weights in one of these")
    remedy = "fetch it again, or load it with PyTorch 1.6 or newer and save only its state dict, as safetensors"
    return _weights(read_checkpoint(path, remedy), path)


def read_checkpoint(path: Path, remedy: str) -> object:
    """Read a PyTorch checkpoint of plain values, tensors and NumPy arrays, without running code from it.

    remedy: of the error for a damaged file. Raises InputError for one, and for one that holds anything else.
    """
    with path.open("rb") as handle:
        begins_as_zip = handle.read(4) == b"PK\3\4"  # otherwise torch would read an older format
    if not begins_as_zip or not zipfile.is_zipfile(path):
        raise InputError(f"{path} is not a checkpoint in PyTorch's zip format, or is cut off", remedy)
    try:
        with torch.serialization.safe_globals(_NUMPY):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise InputError(
            f"{path} contains Python objects besides tensors, and reading those can run any code",
            "if you trust the file, load it with torch.load(..., weights_only=False) and save only its state dict, as "
            "safetensors",
        ) from error
    except _DAMAGED as error:
        said = (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(f"{path} cannot be read as a PyTorch checkpoint ({said})", remedy) from error


def _weights(content: object, path: Path) -> dict[str, torch.Tensor]:
    """The state dict in a checkpoint."""
    if not isinstance(content, dict):
        raise InputError(f"{path} holds a {type(content).__name__}, not a state dict", "save the state dict instead")
    wrappings = [name for name in WRAPPINGS if isinstance(content.get(name), dict)]
    if len(wrappings) > 1:
        raise InputError(
            f"{path} holds weights under {' and '.join(wrappings)}", "save the state dict of only one of them"
        )
    state = content[wrappings[0]] if wrappings else content
    for name, tensor in state.items():
        if not isinstance(name, str) or not isinstance(tensor, torch.Tensor):
            raise InputError(
                f"{path} is not a state dict: its entry {name!r} is a {type(tensor).__name__}, not a tensor",
                f"put the weights at the top or under {', '.join(WRAPPINGS)}",
            )
    return dict(state)


def read_vector(path: Path) -> np.ndarray:
    """Read a one-dimensional array of numbers from an .npy file: float32 [D]."""
    array = read_npy(path)
    if array.dtype.kind not in "fiu" or array.ndim != 1:
        raise InputError(f"{path} is not a one-dimensional array of numbers", "give one number per feature as .npy")
    return array.astype(np.float32)


def check_names(found: Iterable[str], expected: Iterable[str], where: Path | str) -> None:
    """Raise InputError that names the missing or the unknown names."""
    found, expected = list(found), list(expected)
    missing = sorted(set(expected) - set(found))
    if missing:
        raise InputError(f"{where} lacks {_listed(missing)}", "give the weights of this network")
    unknown = sorted(set(found) - set(expected))
    if unknown:
        raise InputError(f"{where} holds {_listed(unknown)}, which this network does not have", "remove it")


def check_tensors(tensors: dict[str, torch.Tensor], shapes: dict[str, tuple[int, ...]], where: Path | str) -> None:
    """Raise InputError for the first tensor whose shape is not that of `shapes`, or whose numbers are not finite."""
    for name, shape in shapes.items():
        tensor = tensors[name]
        if tuple(tensor.shape) != tuple(shape):
            raise InputError(
                f"{where}: {name} has the shape {tuple(tensor.shape)}, not {tuple(shape)}",
                "give the weights of this network",
            )
        if not tensor.is_floating_point() or not tensor.isfinite().all():
            raise InputError(
                f"{where}: {name} has values that are not finite floating-point numbers", "get the file again"
            )


def _listed(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
