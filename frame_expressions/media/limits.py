"""What a video may cost: the limits that keep a broken or hostile file from stopping a run."""

from dataclasses import dataclass, fields
from pathlib import Path

from frame_expressions.runtime.errors import MediaError


@dataclass(frozen=True)
class Limits:
    """The block `limits` of the configuration, which says what each is for.

    frame_timeout_s: seconds without a new frame before the decoder counts as hung. frame_pixels: of an upright frame
    with square pixels. num_frames, video_s: of a video. memory_mb: of the process that decodes.
    """

    frame_timeout_s: float
    frame_pixels: int
    num_frames: int
    video_s: float
    memory_mb: int

    def check_size(self, path: Path, width_px: int, height_px: int) -> None:
        """Raise MediaError for a picture of more than `frame_pixels`."""
        if width_px * height_px > self.frame_pixels:
            raise limit_exceeded(
                path, f"has pictures of {width_px} x {height_px} pixels", FRAME_PIXELS, self.frame_pixels
            )

    def check_length(self, path: Path, number: int, time_s: float) -> None:
        """Raise MediaError for a frame, 1-based, past `num_frames` or shown after `video_s`."""
        if number > self.num_frames:
            raise limit_exceeded(path, "has more pictures", NUM_FRAMES, self.num_frames)
        if time_s > self.video_s:
            raise limit_exceeded(path, f"has a picture at {time_s:.0f} s", VIDEO_S, self.video_s)


# Named, since they reach artifacts and the text of a `raise` counts in no code digest.
FRAME_TIMEOUT_S, FRAME_PIXELS, NUM_FRAMES, VIDEO_S, MEMORY_MB = (field.name for field in fields(Limits))


def limit_exceeded(path: Path, what: str, limit: str, value: float) -> MediaError:
    """The error for a file that is or does `what`, which a limit of the configuration does not allow."""
    remedy = "raise it if the video is as it should be, or replace the file or leave its track out of the corpus"
    key = f"limits.{limit}"
    return MediaError(f"{path} {what}, and {key} is {value:.15g}", remedy, depends_on={key: value})
