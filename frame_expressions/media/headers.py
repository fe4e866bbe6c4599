"""The header of a video file, read without decoding a frame."""

import logging
from dataclasses import dataclass
from pathlib import Path

import av.error

from frame_expressions.media.audio_streams import audio_streams
from frame_expressions.media.container import first_video_stream, open_media

_ONE_TABLE_OF_TIMES = ("mov,mp4,m4a,3gp,3g2,mj2", "avi")
"""Containers that keep the times of all frames in one place."""


@dataclass(frozen=True)
class Header:
    """The number of frames that the container declares for its first video stream, and its audio.

    The number is a hint: containers count frames that do not decode. It is 0 if the container does not declare one, or
    if the file ends before the last frame of its index. audio: descriptions of the audio streams. may_jump: whether
    time stamps in such a container can jump back. has_empty: whether some of these frames are empty, as AVI stores one
    that repeats the frame before it.
    """

    num_frames: int
    audio: tuple[str, ...]
    may_jump: bool
    has_empty: bool = False


def read_header(path: Path) -> Header:
    """The header of a video; raises MediaError for a file that cannot be opened or has no video stream."""
    with open_media(path) as container:
        stream = first_video_stream(container, path)
        entries = stream.index_entries
        is_cut = len(entries) > 0 and entries[-1].pos + entries[-1].size > Path(path).stat().st_size
        # FFmpeg's index of AVI leaves out the empty frames, unless all frames come one after the other.
        lacks_some = container.format.name == "avi" and 0 < len(entries) < stream.frames
        return Header(
            num_frames=0 if is_cut else stream.frames,
            audio=tuple(map(str, audio_streams(container))),
            may_jump=container.format.name not in _ONE_TABLE_OF_TIMES,
            has_empty=lacks_some or any(entry.size == 0 for entry in entries),
        )


def count_packets(path: Path) -> int:
    """The number of frames stored in a video's first video stream; reads the whole file without decoding it.

    Never less than the number of frames that decode. Frames that the container marks as not shown are not counted; the
    count ends where the file is cut off or damaged. Raises as `read_header` does.
    """
    number = 0
    with open_media(path) as container:
        try:
            for packet in container.demux(first_video_stream(container, path)):
                number += packet.size > 0 and not packet.is_discard
        except av.error.FFmpegError as error:
            logging.warning("%s ends early: %s", path, error.strerror)
    return number
