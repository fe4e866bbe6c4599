"""Logging, progress bars and error reports of every rule's script."""

import io
import logging
import os
import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tqdm import tqdm

from frame_expressions.runtime.errors import InputError
from frame_expressions.runtime.failures import FEWER_JOBS, LIMITS, OTHER_FOLDER, limit_sentence

_LINE = "{desc}: {n_fmt} of {total_fmt}{unit}, {rate_fmt}, {remaining} left"
_terminal = None  # the stream that was standard error before log_to took it over


@contextmanager
def log_to(path: str | Path, on_little_memory: str = FEWER_JOBS) -> Iterator[None]:
    """Send the output of this process and its children to `path`, with the traceback of a failure.

    A failure also prints one sentence on the terminal and ends the process with exit status 1; an error that the user
    can correct has no traceback. The same holds for a log that cannot be written. on_little_memory: the remedy if the
    job runs out of memory, the GPU's or the machine's.
    """
    global _terminal
    path = Path(path)
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w") as log:
            _terminal = os.fdopen(os.dup(2), "w")
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
    except OSError as error:
        sentence = (
            limit_sentence(error, on_little_memory) or f"the log {path} cannot be written ({error}); {OTHER_FOLDER}."
        )
        raise SystemExit(f"Error: {sentence}") from None
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s", force=True
    )
    try:
        yield
    except InputError as error:
        # A reader may report a file as damaged when a limit was the cause; then the reader's remedy would not help.
        is_limit = isinstance(error.__cause__, OSError) and error.__cause__.errno in LIMITS
        sentence = limit_sentence(error.__cause__, on_little_memory) if is_limit else error
        logging.error("%s", sentence)
        _fail(f"Error: {sentence}")
    except Exception as error:
        sentence = limit_sentence(error, on_little_memory)
        if sentence:
            logging.error("%s", sentence)
            _fail(f"Error: {sentence}")
        with suppress(OSError):  # a log on a full disk
            traceback.print_exc()
        _fail(f"Error: {type(error).__name__}: {error} (traceback in {path})")


def _fail(sentence: str) -> None:
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        # The log is on a full disk. Drop the rest, or Python would fail to flush it again at exit.
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), 1)
            os.dup2(nowhere.fileno(), 2)
    print(sentence, file=_terminal, flush=True)
    raise SystemExit(1)


def print_result(text: str) -> None:
    """Print a result on the terminal that started the job, and in the log."""
    print(text, flush=True)
    if _terminal is not None:
        print(text, file=_terminal, flush=True)


class _Lines(io.TextIOBase):
    """A stream that turns a progress bar's redraws into log lines."""

    def write(self, text: str) -> int:
        line = text.replace("\r", "").strip()
        if line:
            logging.info("%s", line)
        return len(text)


def progress(items: Iterable, total: int | None, what: str, unit: str = "frames") -> Iterable:
    """Iterate with a progress bar if a terminal is attached, else with progress lines in the log."""
    on_terminal = _terminal is not None and _terminal.isatty()
    return tqdm(
        items,
        total=total,
        desc=what,
        unit=f" {unit}",
        file=_terminal if on_terminal else _Lines(),
        mininterval=0.5 if on_terminal else 10,
        leave=not on_terminal,
        ascii=not on_terminal,
        bar_format=None if on_terminal else _LINE,
    )
