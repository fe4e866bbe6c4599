"""The frames of a video as rows of its timeline, each with the image to store, if any."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from frame_expressions.media.jpeg import encode_jpeg
from frame_expressions.media.limits import Limits
from frame_expressions.media.video import read_video


@dataclass(frozen=True)
class FrameSettings:
    """The block `frames` of the configuration.

    images: `none`, `thumbnails` or `full`. thumbnail_px: longer side of a thumbnail, which is never enlarged.
    jpeg_quality: 1 to 100.
    """

    images: str
    thumbnail_px: int
    jpeg_quality: int


def frame_images(video: Path, limits: Limits, settings: FrameSettings) -> Iterator[tuple[dict, bytes | None]]:
    """Yield the timeline row of each frame and its JPEG, None if no images are kept; raises as `read_video` does."""
    for frame in read_video(video, limits):
        row = {name: getattr(frame, name) for name in ("time_s", "decoded", "width_px", "height_px")}
        jpeg = None
        if settings.images == "full":
            jpeg = encode_jpeg(frame.rgb, settings.jpeg_quality)
        elif settings.images == "thumbnails":
            jpeg = encode_jpeg(frame.thumbnail(settings.thumbnail_px), settings.jpeg_quality)
        yield {"frame": frame.number} | row, jpeg
