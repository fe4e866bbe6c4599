"""Recognises failures that are limits of the machine: memory, disk space, open files, permissions."""

import errno
import os
import re

LIMITS = (errno.ENOMEM, errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE)
"""Error numbers of limits that can make an intact file look damaged to its reader."""

FEWER_JOBS = "lower --cores to run fewer jobs at a time"
"""The remedy for a job that runs out of memory and has no setting that lowers its own use."""

OTHER_FOLDER = "fix that, or make results/ a link to a folder that can be written to"
"""The remedy for a log that cannot be written."""

# How libraries that hide the system's error report a full disk: NumPy, PyTorch (two messages), libsndfile.
_DISK_WORDS = re.compile(
    r"requested and \d+ written|unexpected pos \d+ vs|PytorchStreamWriter failed writing|System error\.$"
)
_TORCH_MEMORY = ("CUDA out of memory", "can't allocate memory")
_LARGER_DISK = "free some, or make results/ a link to a folder on a larger disk, and run the same command again"


def limit_sentence(error: Exception, on_little_memory: str) -> str | None:
    """Which limit of the machine caused `error`, and the remedy, as one sentence; None for any other failure.

    Libraries wrap system errors in exceptions of their own, so the text of an error counts as much as its type.
    """
    text = " ".join(str(error).split())
    cause = text[:160] or type(error).__name__
    number = error.errno if isinstance(error, OSError) else None

    def means(*numbers: int) -> bool:
        return number in numbers or any(os.strerror(one) in text for one in numbers)

    if isinstance(error, MemoryError) or means(errno.ENOMEM) or any(words in text for words in _TORCH_MEMORY):
        return f"out of memory ({cause}); {on_little_memory}."
    if means(errno.ENOSPC, errno.EDQUOT) or _DISK_WORDS.search(text):
        return f"no space is left on the disk ({cause}); {_LARGER_DISK}."
    if means(errno.EMFILE, errno.ENFILE):
        return (
            f"the open-file limit is too low ({cause}); run `ulimit -n 4096` in this shell and the same command again."
        )
    if number in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"a file cannot be read or written ({cause}); fix the permissions and run the same command again."
    return None
