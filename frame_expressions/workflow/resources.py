"""The resources that a job requests: a base, more for a larger input, and more after each failed attempt.

Snakemake evaluates them before each attempt; in a dry run, an input that does not exist yet counts as 0.
"""

import math
from collections.abc import Callable, Iterable
from pathlib import Path

from snakemake.iocontainers import InputFiles


def rising(base: float, **per_mb: float) -> Callable[..., int]:
    """An amount that grows with every attempt: memory in MB, or time in minutes.

    per_mb: by the name of an input, how much each MB of its files adds.
    """

    def asked(wildcards, input, attempt) -> int:
        return attempt * _amount(base, input, per_mb)

    return asked


def steady(base: float, **per_mb: float) -> Callable[..., int]:
    """An amount that is the same in every attempt: disk space in MB for what the job reads and writes."""

    def asked(wildcards, input) -> int:
        return _amount(base, input, per_mb)

    return asked


def _amount(base: float, input, per_mb: dict[str, float]) -> int:
    return math.ceil(base + sum(share * _size_mb(getattr(input, name)) for name, share in per_mb.items()))


def _size_mb(paths: str | Iterable[str]) -> float:
    """Size of files and of the files in folders; missing ones count as 0."""
    size = 0
    for path in [paths] if isinstance(paths, str) else paths:
        if getattr(path, "is_storage", False):
            size += InputFiles([path]).size  # Snakemake calls this again once the file is in the store
            continue
        for file in Path(path).iterdir() if Path(path).is_dir() else [Path(path)]:
            size += file.stat().st_size if file.is_file() else 0
    return size / 1e6
