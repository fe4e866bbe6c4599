"""The frames of a video as rows of its timeline, each with the image to store, if any."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from frame_expressions.media.clock import Clock
from frame_expressions.media.jpeg import encode_jpeg
from frame_expressions.media.limits import Limits
from frame_expressions.media.timeline import FrameRow
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


def frame_images(
    video: Path, limits: Limits, settings: FrameSettings, clock: Clock
) -> Iterator[tuple[FrameRow, bytes | None]]:
    """Yield each frame's row of the timeline and its JPEG, None if no images are kept; raises as `read_video` does."""
    for frame in read_video(video, limits, clock):
        row = FrameRow(frame.stamp_s, frame.step_s, frame.decoded, frame.width_px, frame.height_px, frame.length_s)
        jpeg = None
        if settings.images == "full":
            jpeg = encode_jpeg(frame.rgb, settings.jpeg_quality)
        elif settings.images == "thumbnails":
            jpeg = encode_jpeg(frame.thumbnail(settings.thumbnail_px), settings.jpeg_quality)
        yield row, jpeg
