"""Opens a local media file, and only that file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import av.container
import av.error
from av.stream import Disposition
from av.video.stream import VideoStream

from frame_expressions.runtime.errors import MediaError

# Only plain containers: playlists, concat scripts and image patterns would open other files.
DEMUXERS = "mov,matroska,avi,flv,mpeg,mpegts,mpegvideo,asf,ogg,m4v,h263,h264,hevc,obu,ivf,mxf,dv,rm,nut,wtv,mjpeg,gif"
ONLY_THIS_FILE = {"protocol_whitelist": "file", "format_whitelist": DEMUXERS}
REMEDY = "replace it with a file that ffmpeg can play, or leave it out"


def media_url(path: Path) -> str:
    """The file as a `file:` URL, so ffmpeg does not interpret any part of its name as a protocol or an option."""
    return f"file:{Path(path).absolute()}"


@contextmanager
def open_media(path: Path) -> Iterator[av.container.InputContainer]:
    """Open `path` for demuxing.

    Raises MediaError if the file is missing or empty, if none of `DEMUXERS` can read it, or if it is no video.
    """
    try:
        # Metadata of a damaged or old file need not be UTF-8.
        container = av.open(media_url(path), options=ONLY_THIS_FILE, metadata_errors="replace")
    except av.error.ArgumentError as error:  # a format that ffmpeg knows and DEMUXERS leaves out
        what = f"{path} is not a video by its content, but an audio file, an image or a playlist"
        raise MediaError(what, REMEDY, error.strerror) from error
    except av.error.FFmpegError as error:
        what = f"{path} cannot be opened as a video ({error.strerror})"
        raise MediaError(what, REMEDY, error.strerror) from error
    with container:
        yield container


def first_video_stream(container: av.container.InputContainer, path: Path) -> VideoStream:
    """The first video stream that is not cover art; raises MediaError if there is none."""
    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            return stream
    raise MediaError(f"{path} has no video stream", REMEDY)
