"""The exceptions for input that the user can mend."""


class InputError(ValueError):
    """Bad input: the message is one sentence that names the file or setting and the remedy."""


class MediaError(InputError):
    """A media file that is refused. `ffmpeg` is the last line that FFmpeg said of it, or empty."""

    def __init__(self, sentence: str, ffmpeg: str = ""):
        super().__init__(sentence)
        self.ffmpeg = ffmpeg
