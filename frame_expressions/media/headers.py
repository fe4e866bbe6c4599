"""What a video file says of itself, read without decoding a picture."""

import logging
from dataclasses import dataclass
from pathlib import Path

import av.error

from frame_expressions.media.container import first_video_stream, open_media


@dataclass(frozen=True)
class Header:
    """Number of pictures that the container declares for its first video, and whether it has sound.

    The number is a hint: containers count pictures that do not decode. It is 0 where the container does not say, and
    where the file ends before the last picture that it announces.
    """

    num_frames: int
    has_sound: bool


def read_header(path: Path) -> Header:
    """The header of a video; raises InputError for a file that cannot be opened or has no video stream."""
    with open_media(path) as container:
        stream = first_video_stream(container, path)
        entries = stream.index_entries
        is_cut = len(entries) > 0 and entries[-1].pos + entries[-1].size > Path(path).stat().st_size
        return Header(0 if is_cut else stream.frames, bool(container.streams.audio))


def count_packets(path: Path) -> int:
    """Number of pictures stored in a video's first video stream, by reading the whole file without decoding it.

    Pictures that the container says are not to be shown are left out; where the file breaks off, the count ends. Never
    fewer than decode. Raises InputError as `read_header`.
    """
    number = 0
    with open_media(path) as container:
        try:
            for packet in container.demux(first_video_stream(container, path)):
                number += packet.size > 0 and not packet.is_discard
        except av.error.FFmpegError as error:
            logging.warning("%s breaks off: %s", path, error.strerror)
    return number
