"""Errors in the user's input: each names the fault and its remedy."""

from pathlib import Path


class InputError(ValueError):
    """Input that the user can correct, or something that the machine lacks.

    what: the fault, as a clause that names the file or setting, without a full stop. remedy: what to do about it, an
    imperative without a full stop, or a question. The message joins both into one sentence.
    """

    def __init__(self, what: str, remedy: str = ""):
        super().__init__(what, remedy)  # pickle calls the class with `args` in another process
        self.what = what
        self.remedy = remedy

    def __reduce__(self) -> tuple:
        """Keep the system error behind this one, by which another process recognises a limit of the machine."""
        cause = self.__cause__
        known = {"__cause__": OSError(cause.errno, cause.strerror)} if isinstance(cause, OSError) else {}
        return type(self), self.args, known

    def __str__(self) -> str:
        end = "" if self.remedy.endswith("?") else "."
        return f"{self.what}; {self.remedy}{end}" if self.remedy else self.what


class MediaError(InputError):
    """A media file that is refused.

    ffmpeg: the last line that FFmpeg printed about the file, or empty. depends_on: the settings that refused it, value
    by dotted key; the file may pass under other values.
    """

    def __init__(self, what: str, remedy: str, ffmpeg: str = "", depends_on: dict[str, float | str] | None = None):
        super().__init__(what, remedy)
        self.args = what, remedy, ffmpeg, depends_on
        self.ffmpeg = ffmpeg
        self.depends_on = depends_on or {}


def unreadable(path: Path, what: str, error: Exception | str) -> InputError:
    """The error for an artifact that cannot be read as `what`, a format, with the first line of `error` as reason."""
    reason = str(error).partition("\n")[0].rstrip(".")
    return InputError(
        f"{path} cannot be read as {what} ({reason})", "delete it and run the workflow again to rebuild it"
    )
