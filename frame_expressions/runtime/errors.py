"""Errors in what the user gave: each says what is wrong and what to do about it."""

from pathlib import Path


class InputError(ValueError):
    """Input that the user can correct, or a machine that lacks something.

    what: what is wrong, with the file or setting by name; no full stop. remedy: what to do about it; no full stop.
    The message is both, as one sentence.
    """

    def __init__(self, what: str, remedy: str = ""):
        super().__init__(what, remedy)  # `args`, from which pickle makes it again in another process
        self.what = what
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.what}; {self.remedy}." if self.remedy else self.what


class MediaError(InputError):
    """A media file that is refused.

    ffmpeg: the last line that FFmpeg printed about it, or empty. depends_on: the settings that refused it, with their
    values, by dotted key: under other values the file might pass.
    """

    def __init__(self, what: str, remedy: str, ffmpeg: str = "", depends_on: dict[str, float | str] | None = None):
        super().__init__(what, remedy)
        self.args = what, remedy, ffmpeg, depends_on
        self.ffmpeg = ffmpeg
        self.depends_on = depends_on or {}


def unreadable(path: Path, what: str, error: Exception | str) -> InputError:
    """The error for an artifact that is damaged or is not `what`, a format, as the first line of `error` says."""
    reason = str(error).partition("\n")[0].rstrip(".")
    return InputError(
        f"{path} cannot be read as {what} ({reason})", "delete it and run the workflow again to rebuild it"
    )
