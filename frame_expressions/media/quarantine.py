"""The table of refused media files: the file, the stage, the reason, and FFmpeg's last line.

A run that skips bad videos lists them at its end, from the provenance of the artifacts. A run that stops never gets
there, so the failing job writes the row for its file, and a later job removes the row once the file passes.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass, fields
from functools import reduce
from operator import getitem
from pathlib import Path

from frame_expressions.artifacts.text import read_tsv, write_tsv
from frame_expressions.runtime.errors import InputError, MediaError


@dataclass(frozen=True)
class Refusal:
    """A row of the table. file: its path in the corpus. reason: one sentence. ffmpeg: its last line, or empty."""

    file: str
    stage: str
    reason: str
    ffmpeg: str


SKIPPING = {"execution.on_bad_video": "skip"}
COLUMNS = tuple(field.name for field in fields(Refusal))


def with_skip_hint(error: MediaError) -> MediaError:
    """The same refusal for a run that stops; the remedy also names the setting that skips bad files."""
    remedy = f"{error.remedy}, or set execution.on_bad_video to skip"
    return MediaError(error.what, remedy, error.ffmpeg, error.depends_on)


def refusal_settings(key: str, error: MediaError, video: Path, depends_on: dict) -> dict:
    """The entries of an artifact's settings that record a refused file.

    The reason is under `key`, FFmpeg's last line under `ffmpeg`, if any. The reason names the file without its folder,
    since no path is stored in an artifact. depends_on: settings as in MediaError; those of the error are added, and
    all are stored under `depends_on`, if any.
    """
    found = {key: str(error).replace(str(video), video.name), "ffmpeg": error.ffmpeg}
    return {name: value for name, value in (found | {"depends_on": depends_on | error.depends_on}).items() if value}


def refusal_from(settings: dict, key: str, file: str, stage: str) -> Iterator[Refusal]:
    """The refusal that an artifact's settings record, if any; the inverse of `refusal_settings`."""
    if key in settings:
        yield Refusal(file, stage, _one_line(settings[key]), settings.get("ffmpeg", ""))


def check_still_refused(settings_of: dict[Path, dict], config: dict) -> None:
    """Raise InputError for artifacts of files that were refused under settings other than the current configuration.

    A change of these settings re-runs no finished job, since they affect almost no file. settings_of: the provenance
    settings of each artifact.
    """
    stale: dict[Path, str] = {}
    for artifact, settings in settings_of.items():
        for key, value in settings.get("depends_on", {}).items():
            now = reduce(getitem, key.split("."), config)
            if now != value:
                stale.setdefault(
                    artifact.parent,
                    f"{artifact} belongs to a file that was refused under {key}: {value}, which is now {now}",
                )
    if stale:
        folders = " ".join(map(str, sorted(stale)))
        raise InputError(next(iter(stale.values())), f"delete {folders} and run the same command again")


@contextmanager
def record_refusals(tsv: Path, file: str, stage: str) -> Iterator[None]:
    """Add a row to the table if the block refuses the file; otherwise remove an older row for the file."""
    try:
        yield
    except MediaError as error:
        reason = _one_line(str(error).replace(file, Path(file).name))
        _replace(tsv, file, stage, [Refusal(file, stage, reason, error.ffmpeg)])
        raise
    if any((row.file, row.stage) == (file, stage) for row in read_refusals(tsv)):
        _replace(tsv, file, stage, [])


def write_refusals(refusals: Iterable[Refusal], tsv: Path) -> None:
    """Write the table; it has only a header if nothing was refused."""
    write_tsv(COLUMNS, map(astuple, refusals), tsv)


def finish_refusals(refusals: Iterable[Refusal], tsv: Path) -> None:
    """Write the table of a run whose other jobs have finished, so that nobody needs the lock any more."""
    write_refusals(refusals, tsv)
    _lock_of(tsv).unlink(missing_ok=True)


def read_refusals(tsv: Path) -> list[Refusal]:
    """Read the table; a missing one has no rows."""
    return [Refusal(**row) for row in read_tsv(tsv, COLUMNS)] if tsv.exists() else []


def _replace(tsv: Path, file: str, stage: str, with_rows: list[Refusal]) -> None:
    tsv.parent.mkdir(parents=True, exist_ok=True)
    with _lock_of(tsv).open("w") as lock:
        with contextlib.suppress(OSError):  # a file system without locks; they matter only if two jobs fail together
            fcntl.flock(lock, fcntl.LOCK_EX)
        rows = read_refusals(tsv)
        kept = [row for row in rows if (row.file, row.stage) != (file, stage)]
        if kept + with_rows != rows:
            write_refusals(kept + with_rows, tsv)
            # Older than every input of list_refused, so the rule rewrites the table once the file is fixed or removed.
            # Not 0, which Snakemake treats as a missing time.
            os.utime(tsv, (1, 1))


def _lock_of(tsv: Path) -> Path:
    return tsv.with_name(f".{tsv.name}.lock")


def _one_line(text: str) -> str:
    return " ".join(text.split())
