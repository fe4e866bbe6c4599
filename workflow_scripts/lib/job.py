"""What every rule's script shares: its log and its progress."""

import io
import logging
import os
import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tqdm import tqdm

from workflow_scripts.lib.errors import InputError

_LINE = "{desc}: {n_fmt} of {total_fmt}{unit}, {rate_fmt}, {remaining} left"
_terminal = None  # the stream that was standard error before log_to took it over


@contextmanager
def log_to(path: str | Path) -> Iterator[None]:
    """Send this process's and its children's output to `path`, a failure's traceback included.

    A failure also reaches the terminal, as one sentence for input that the user can mend, and ends the
    process with exit status 1.
    """
    global _terminal
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    _terminal = os.fdopen(os.dup(2), "w")
    with path.open("w") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s", force=True
    )
    try:
        yield
    except InputError as error:
        logging.error("%s", error)
        _fail(f"Error: {error}")
    except Exception as error:
        traceback.print_exc()
        _fail(f"Error: {type(error).__name__}: {error} (traceback in {path})")


def _fail(sentence: str) -> None:
    sys.stderr.flush()
    print(sentence, file=_terminal, flush=True)
    raise SystemExit(1)


def say(text: str) -> None:
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
