"""The table of refused media files: which, at what stage, why, and what FFmpeg said last.

A run that skips bad videos lists them at its end, from what the artifacts say of themselves. A run that stops has no
such end: its failing job writes the file's row itself, and takes it out again once the file has passed.
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
    """A row of the table. file: the path that the corpus has. reason: one sentence. ffmpeg: its last line, or empty."""

    file: str
    stage: str
    reason: str
    ffmpeg: str


SKIPPING = {"corpus.on_bad_video": "skip"}
COLUMNS = tuple(field.name for field in fields(Refusal))


def with_skip_hint(error: MediaError) -> MediaError:
    """The same refusal for a run that stops, with the setting that skips such files instead."""
    remedy = f"{error.remedy}, or set corpus.on_bad_video to skip"
    return MediaError(error.what, remedy, error.ffmpeg, error.depends_on)


def refusal_settings(key: str, error: MediaError, video: Path, depends_on: dict) -> dict:
    """What an artifact's settings say of a refused file: the reason under `key`, and `ffmpeg` where it said anything.

    The file goes by its name alone, since no path goes into an artifact. depends_on: as an error has it; what the
    error itself depends on comes on top, and the whole under `depends_on`, where there is any.
    """
    found = {key: str(error).replace(str(video), video.name), "ffmpeg": error.ffmpeg}
    return {name: value for name, value in (found | {"depends_on": depends_on | error.depends_on}).items() if value}


def refusal_from(settings: dict, key: str, file: str, stage: str) -> Iterator[Refusal]:
    """The refusal that an artifact's settings tell of, if they do; the inverse of `refusal_settings`."""
    if key in settings:
        yield Refusal(file, stage, _one_line(settings[key]), settings.get("ffmpeg", ""))


def check_still_refused(settings_of: dict[Path, dict], config: dict) -> None:
    """Raise InputError for artifacts of files that other settings than the configuration's have refused.

    These settings re-run no finished job, since nearly all files are what they are under any of them.
    settings_of: by artifact, what its settings say.
    """
    stale: dict[Path, str] = {}
    for artifact, settings in settings_of.items():
        for key, value in settings.get("depends_on", {}).items():
            now = reduce(getitem, key.split("."), config)
            if now != value:
                stale.setdefault(artifact.parent, f"{artifact} is of a file refused with {key}: {value}, now {now}")
    if stale:
        folders = " ".join(map(str, sorted(stale)))
        raise InputError(f"{next(iter(stale.values()))}", f"delete {folders} and run the same command again")


@contextmanager
def record_refusals(tsv: Path, file: str, stage: str) -> Iterator[None]:
    """Put a row into the table if the block refuses the file, and take an older one out if it does not."""
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


def read_refusals(tsv: Path) -> list[Refusal]:
    """Read the table; a missing one has no rows."""
    return [Refusal(**row) for row in read_tsv(tsv, COLUMNS)] if tsv.exists() else []


def _replace(tsv: Path, file: str, stage: str, with_rows: list[Refusal]) -> None:
    tsv.parent.mkdir(parents=True, exist_ok=True)
    with tsv.with_name(f".{tsv.name}.lock").open("w") as lock:
        with contextlib.suppress(OSError):  # a file system without locks; only jobs that fail at once need one
            fcntl.flock(lock, fcntl.LOCK_EX)
        rows = read_refusals(tsv)
        kept = [row for row in rows if (row.file, row.stage) != (file, stage)]
        if kept + with_rows != rows:
            write_refusals(kept + with_rows, tsv)
            # Older than all that list_refused reads, so that it writes the table anew once the file is mended or left
            # out. Not 0, which Snakemake takes for no time at all.
            os.utime(tsv, (1, 1))


def _one_line(text: str) -> str:
    return " ".join(text.split())
