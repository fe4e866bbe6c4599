"""What every rule's script shares: its log and its progress."""

import errno
import io
import logging
import os
import re
import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tqdm import tqdm

from workflow_scripts.lib.runtime.errors import InputError

_LINE = "{desc}: {n_fmt} of {total_fmt}{unit}, {rate_fmt}, {remaining} left"
# A full disk in the words of libraries that keep the system's to themselves: NumPy, PyTorch twice, libsndfile.
_DISK_WORDS = re.compile(
    r"requested and \d+ written|unexpected pos \d+ vs|PytorchStreamWriter failed writing|System error\.$"
)
_TORCH_MEMORY = ("CUDA out of memory", "can't allocate memory")
_LARGER_DISK = "free some, or make results/ a link to a folder on a larger disk, and run the same command again"
_OTHER_FOLDER = "mend that, or make results/ a link to a folder that can be written to"
_LIMITS = (errno.ENOMEM, errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE)
_FEWER_JOBS = "give --cores a lower number, so that fewer jobs run at once"
_terminal = None  # the stream that was standard error before log_to took it over


@contextmanager
def log_to(path: str | Path, on_little_memory: str = _FEWER_JOBS) -> Iterator[None]:
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
        sentence = _limit(error, on_little_memory) or f"the log {path} cannot be written ({error}); {_OTHER_FOLDER}."
        raise SystemExit(f"Error: {sentence}") from None
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s", force=True
    )
    try:
        yield
    except InputError as error:
        # A reader that takes its file for damaged may have met a limit: then its remedy would not help.
        is_limit = isinstance(error.__cause__, OSError) and error.__cause__.errno in _LIMITS
        sentence = _limit(error.__cause__, on_little_memory) if is_limit else error
        logging.error("%s", sentence)
        _fail(f"Error: {sentence}")
    except Exception as error:
        sentence = _limit(error, on_little_memory)
        if sentence:
            logging.error("%s", sentence)
            _fail(f"Error: {sentence}")
        with suppress(OSError):  # a log on a full disk
            traceback.print_exc()
        _fail(f"Error: {type(error).__name__}: {error} (traceback in {path})")


def _limit(error: Exception, on_little_memory: str) -> str | None:
    """Which of the machine's limits the job has met, and what to do, in one sentence; None for any other failure.

    Libraries wrap what the system says in exceptions of their own, so its words count as much as the type.
    """
    text = " ".join(str(error).split())
    said = text[:160] or type(error).__name__
    number = error.errno if isinstance(error, OSError) else None

    def means(*numbers: int) -> bool:
        return number in numbers or any(os.strerror(one) in text for one in numbers)

    if isinstance(error, MemoryError) or means(errno.ENOMEM) or any(words in text for words in _TORCH_MEMORY):
        return f"the memory does not suffice ({said}); {on_little_memory}."
    if means(errno.ENOSPC, errno.EDQUOT) or _DISK_WORDS.search(text):
        return f"no space is left on the disk ({said}); {_LARGER_DISK}."
    if means(errno.EMFILE, errno.ENFILE):
        return f"this shell allows too few open files ({said}); run `ulimit -n 4096` in it and the same command again."
    if number in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"a file may not be read or written ({said}); give yourself the right to and run the same command again."
    return None


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
