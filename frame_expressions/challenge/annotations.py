"""The organisers' annotation files: a header with the eight class names, then one class number per frame."""

from pathlib import Path

import numpy as np

from frame_expressions.artifacts.vocabulary import EXPRESSIONS, NUM_CLASSES, UNLABELLED
from frame_expressions.runtime.errors import InputError

_HEADER = [name.lower() for name in EXPRESSIONS]
_VALUES = {str(value): value for value in range(UNLABELLED, NUM_CLASSES)}
_REFUSED = UNLABELLED - 1


def read_annotation(path: Path) -> np.ndarray:
    """Class of every row: [R] int8, row k (from 0) is frame k + 1, -1 for a frame without a class.

    Raises InputError for a missing header, another order of the classes, a blank line between rows, a value
    outside -1 to 7, or a file without rows.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").rstrip().split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"The annotation {path} cannot be read ({error})", "fetch the file again") from error
    if [name.strip().lower() for name in lines[0].split(",")] != _HEADER:
        raise InputError(
            f"The annotation {path} begins with {lines[0][:80]!r} instead of {','.join(EXPRESSIONS)}",
            "bring its header and its class numbers into this order",
        )
    rows = np.array([_VALUES.get(line.strip(), _REFUSED) for line in lines[1:]], dtype=np.int8)
    if rows.size == 0:
        raise InputError(f"The annotation {path} has a header but no rows", "fetch the file again")
    refused = np.flatnonzero(rows == _REFUSED)
    if refused.size:
        line = int(refused[0]) + 1
        raise InputError(
            (
                f"The annotation {path} line {line + 1} reads {lines[line].strip()[:80]!r}, but a row is one number "
                "from 0 to 7, or -1 for a frame without a class"
            ),
            "correct this line",
        )
    return rows
