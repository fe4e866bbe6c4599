"""Limits on what decoding one video may take, so a broken or hostile file cannot stop a run."""

from dataclasses import dataclass, fields
from pathlib import Path

from frame_expressions.runtime.errors import MediaError


@dataclass(frozen=True)
class Limits:
    """The block `execution.limits` of the configuration.

    frame_timeout_s: seconds without a new frame before the decoder counts as hung. frame_pixels: of an upright frame
    with square pixels. num_frames, video_s: of a video. memory_mb: of the process that decodes.
    """

    frame_timeout_s: float
    frame_pixels: int
    num_frames: int
    video_s: float
    memory_mb: int

    def check_size(self, path: Path, width_px: int, height_px: int) -> None:
        """Raise MediaError for a frame of more than `frame_pixels`."""
        if width_px * height_px > self.frame_pixels:
            raise limit_exceeded(
                path, f"has frames of {width_px} x {height_px} pixels", FRAME_PIXELS, self.frame_pixels
            )

    def check_length(self, path: Path, number: int, time_s: float) -> None:
        """Raise MediaError for a frame, 1-based, beyond `num_frames` or later than `video_s`."""
        if number > self.num_frames:
            raise limit_exceeded(path, "has more frames", NUM_FRAMES, self.num_frames)
        if time_s > self.video_s:
            raise limit_exceeded(path, f"has a frame at {time_s:.0f} s", VIDEO_S, self.video_s)


# Constants, because the names reach artifacts and the code digest ignores the text of a `raise`.
FRAME_TIMEOUT_S, FRAME_PIXELS, NUM_FRAMES, VIDEO_S, MEMORY_MB = (field.name for field in fields(Limits))


def limit_exceeded(path: Path, what: str, limit: str, value: float) -> MediaError:
    """The error for a file that exceeds a limit of the configuration. what: a verb and its object that say how."""
    remedy = "raise the limit if the video is intact, or replace the file or leave it out"
    key = f"execution.limits.{limit}"
    return MediaError(f"{path} {what}, and {key} is {value:.15g}", remedy, depends_on={key: value})
