"""Which of the machine's limits a failed job has met, and what to do about it."""

import errno
import os
import re

# A full disk in the words of libraries that keep the system's to themselves: NumPy, PyTorch twice, libsndfile.
_DISK_WORDS = re.compile(
    r"requested and \d+ written|unexpected pos \d+ vs|PytorchStreamWriter failed writing|System error\.$"
)
_TORCH_MEMORY = ("CUDA out of memory", "can't allocate memory")
_LARGER_DISK = "free some, or make results/ a link to a folder on a larger disk, and run the same command again"
OTHER_FOLDER = "mend that, or make results/ a link to a folder that can be written to"
LIMITS = (errno.ENOMEM, errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE)
FEWER_JOBS = "give --cores a lower number, so that fewer jobs run at once"


def limit_met(error: Exception, on_little_memory: str) -> str | None:
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
