"""How long the last frame of a video is shown, where its container says so.

MP4 and Matroska store it; what libavformat reports for other containers is a guess from the frame rate. A damaged
header can say anything, so two places of the file must allow the length: the frame's own duration or the table of
samples, and the length of the stream or file.
"""

from collections.abc import Iterator

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

_FIRST_PACKETS = 32
"""The frame that is shown first is among as many packets at the beginning."""


class StatedEnd:
    """Watches the packets of a video stream for the end of the last frame."""

    def __init__(self, container: InputContainer, stream: VideoStream):
        self._container, self._stream = container, stream
        self._format = container.format.name
        self._latest: int | None = None  # presentation time of the packet that is shown last
        self._first: int | None = None  # of the one that is shown first
        self._first_dts: int | None = None
        self._end_dts: int | None = None  # where the packet that is decoded last ends
        self._number = 0

    def watch(self, packets: Iterator[Packet]) -> Iterator[Packet]:
        """The same packets."""
        for packet in packets:
            if packet.size and packet.pts is not None:
                self._number += 1
                self._latest = packet.pts if self._latest is None else max(packet.pts, self._latest)
                if self._number <= _FIRST_PACKETS:
                    self._first = packet.pts if self._first is None else min(packet.pts, self._first)
                if packet.dts is not None:
                    self._first_dts = packet.dts if self._first_dts is None else self._first_dts
                    self._end_dts = packet.dts + (packet.duration or 0)
            yield packet

    def length_s(self, frame: av.VideoFrame) -> float | None:
        """How long a frame is shown, in s; None if it is not the last of the packets so far or if no length is stated.

        A duration of one tick or less is what writers store if they do not know it.
        """
        if frame.pts is None or frame.pts != self._latest:
            return None
        ticks = None
        if "mp4" in self._format:
            ticks = self._in_mp4(frame.pts)
        elif "matroska" in self._format:
            ticks = self._in_matroska(frame)
        elif self._format == "gif":
            ticks = frame.duration
        return float(ticks * self._stream.time_base) if ticks is not None and ticks > 1 else None

    def _in_mp4(self, pts: int) -> int | None:
        """Until the samples that were read end, by their durations, or the track ends, whichever is first.

        The duration of the frame's own sample would not do: samples are in the order of decoding.
        """
        start, length = self._stream.start_time, self._stream.duration
        if None in (start, length, self._first, self._first_dts, self._end_dts):
            return None
        return min(self._end_dts + self._first - self._first_dts, start + length) - pts

    def _in_matroska(self, frame: av.VideoFrame) -> int | None:
        """The block's duration, unless it lasts beyond the end of the file or is the one that the frame rate gives."""
        base = self._stream.time_base
        if not frame.duration or not self._container.duration:
            return None
        rate = self._stream.base_rate
        if rate and abs(frame.duration - 1 / (rate * base)) <= 1:
            return None
        end_s = ((self._container.start_time or 0) + self._container.duration) / av.time_base
        return frame.duration if float((frame.pts + frame.duration) * base) <= end_s + float(base) else None
