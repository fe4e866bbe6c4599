"""The exceptions for input that the user can mend."""


class InputError(ValueError):
    """Bad input: the message is one sentence that names the file or setting and the remedy."""


class MediaError(InputError):
    """A media file that is refused.

    ffmpeg: the last line that FFmpeg said of it, or empty. depends_on: settings without which it might not be, by their
    dotted keys, with the values that they have.
    """

    def __init__(self, sentence: str, ffmpeg: str = "", depends_on: dict[str, float | str] | None = None):
        super().__init__(sentence)
        self.ffmpeg = ffmpeg
        self.depends_on = depends_on or {}
