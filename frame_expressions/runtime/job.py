"""What every rule's script shares: its log and its progress."""

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
from frame_expressions.runtime.failures import FEWER_JOBS, LIMITS, OTHER_FOLDER, limit_met

_LINE = "{desc}: {n_fmt} of {total_fmt}{unit}, {rate_fmt}, {remaining} left"
_terminal = None  # the stream that was standard error before log_to took it over


@contextmanager
def log_to(path: str | Path, on_little_memory: str = FEWER_JOBS) -> Iterator[None]:
    """Send this process's and its children's output to `path`, a failure's traceback included.

    A failure also reaches the terminal, as one sentence for what the user can mend, and ends the process with exit
    status 1; so does a log that cannot be written. on_little_memory: what to do where the job needs more memory, a
    GPU's or the machine's, than there is.
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
        sentence = limit_met(error, on_little_memory) or f"the log {path} cannot be written ({error}); {OTHER_FOLDER}."
        raise SystemExit(f"Error: {sentence}") from None
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s", force=True
    )
    try:
        yield
    except InputError as error:
        # A reader that takes its file for damaged may have met a limit: then its remedy would not help.
        is_limit = isinstance(error.__cause__, OSError) and error.__cause__.errno in LIMITS
        sentence = limit_met(error.__cause__, on_little_memory) if is_limit else error
        logging.error("%s", sentence)
        _fail(f"Error: {sentence}")
    except Exception as error:
        sentence = limit_met(error, on_little_memory)
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
        # The log lies on a full disk. What it does not take is dropped, or Python would fail over it once more at exit.
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), 1)
            os.dup2(nowhere.fileno(), 2)
    print(sentence, file=_terminal, flush=True)
    raise SystemExit(1)


def print_result(text: str) -> None:
    """Show a result: on the terminal from which the job was started, and in its log."""
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
    """Iterate with a progress bar on the terminal when one is attached, else with lines in the log."""
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
