"""The only video reader: every stage decodes with it, so frame k is the same everywhere."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path

import av
import av.error
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.sidedata.sidedata import SideDataContainer
from av.video.reformatter import Interpolation
from av.video.stream import VideoStream

from frame_expressions.media.avi import first_frame_hold_s
from frame_expressions.media.clock import UNSHIFTED, Clock
from frame_expressions.media.clock_reader import clocked_packets
from frame_expressions.media.container import REMEDY, first_video_stream, open_media
from frame_expressions.media.deinterlacing import deinterlaced, needs_deinterlacing
from frame_expressions.media.last_frame import StatedEnd
from frame_expressions.media.limits import Limits
from frame_expressions.media.tone_mapping import is_hdr, tone_mapped
from frame_expressions.runtime.errors import InputError, MediaError

FALLBACK_STEP_S = Fraction(1, 25)  # between frames of a stream that states neither times nor a rate
WIDEST_PIXEL = 8  # pixel aspect ratios beyond 8:1 come from damaged headers


@dataclass(frozen=True)
class Frame:
    """One frame of a video.

    number: 1-based, in display order. stamp_s: its presentation time as stored, on the file's clock; None if it has
    none, see `timeline.frame_times`. step_s: between frames, by the stream's rate. decoded: False if the decoder marked
    the frame as damaged. width_px, height_px: of the upright frame with square pixels. av_frame: as stored. display:
    its display matrix, see `upright`. length_s: how long the frame is shown, if it is the last one and its container
    says so, see `last_frame`. neighbours: of an interlaced frame, the frames before and after it as stored.
    """

    number: int
    stamp_s: Fraction | None
    step_s: float
    decoded: bool
    width_px: int
    height_px: int
    av_frame: av.VideoFrame
    display: np.ndarray
    length_s: float | None = None
    neighbours: tuple[av.VideoFrame | None, av.VideoFrame | None] | None = None

    @cached_property
    def rgb(self) -> np.ndarray:
        """The upright frame, uint8 [H, W, 3], RGB; converted on first use: deinterlaced, and from HDR to SDR."""
        return self._converted(self.width_px, self.height_px)

    def thumbnail(self, longest_px: int) -> np.ndarray:
        """The upright frame with a longer side of at most `longest_px`, uint8 [h, w, 3], RGB; never enlarged."""
        scale = min(1.0, longest_px / max(self.width_px, self.height_px))
        width_px, height_px = (max(1, round(scale * side)) for side in (self.width_px, self.height_px))
        return self._converted(width_px, height_px, Interpolation.AREA | Interpolation.FULL_CHR_H_INT)

    @cached_property
    def _picture(self) -> av.VideoFrame:
        return deinterlaced(self.av_frame, *self.neighbours) if self.neighbours else self.av_frame

    def _converted(self, width_px: int, height_px: int, interpolation: int = Interpolation.BILINEAR) -> np.ndarray:
        if _is_transposed(self.display):
            width_px, height_px = height_px, width_px
        picture = self._picture
        if is_hdr(picture):
            picture = av.VideoFrame.from_ndarray(tone_mapped(picture), format="rgb24")
        # One thread: the result must not depend on the number of cores of the job.
        stored = picture.to_ndarray(
            format="rgb24", width=width_px, height=height_px, interpolation=interpolation, threads=1
        )
        return upright(stored, self.display)


def read_video(path: Path, limits: Limits | None = None, clock: Clock = UNSHIFTED) -> Iterator[Frame]:
    """Yield every frame of the first video stream that decodes, once and in display order.

    No frame is dropped or repeated, at constant or variable frame rates. Packets that do not decode are left out, and a
    stream that is cut off ends there, both with a warning. clock: of the file, for stamps that are compared with those
    of its audio. The decoder runs in one thread, because its concealment of damaged H.264 frames depends on the number
    of threads (measured on bit-flipped clips).

    Raises MediaError if the file cannot be opened, has no video stream, or none of its frames decodes, and if it
    exceeds `limits` in length or in frame size, which is checked before the first frame is decoded.
    """
    with open_media(path) as container:
        stream = first_video_stream(container, path)
        if stream.codec_context is None:
            raise MediaError(f"{path} has a video format that no decoder knows", REMEDY)
        if limits:
            limits.check_size(path, stream.codec_context.width, stream.codec_context.height)
        stream.codec_context.thread_count = 1
        step_s = float(1 / stream.guessed_rate if stream.guessed_rate else FALLBACK_STEP_S)
        number, first = 0, None
        end = StatedEnd(container, stream)
        frames = _decode(end.watch(clocked_packets(container, stream, clock)), stream, path)
        codec = stream.codec_context.codec.canonical_name
        stamped = _with_neighbours(_stamped(frames, container, stream), codec)
        for number, (av_frame, stamp, neighbours) in enumerate(stamped, start=1):
            first = stamp if first is None else first
            display = _display_matrix(av_frame)
            width, height = _square_size(av_frame, stream.sample_aspect_ratio)
            if _is_transposed(display):
                width, height = height, width
            if limits:
                limits.check_size(path, width, height)
                limits.check_length(path, number, 0.0 if stamp is None else float(stamp - first))
            length_s = end.length_s(av_frame)
            if limits and length_s is not None and float(stamp - first) + length_s > limits.video_s:
                length_s = None
            yield Frame(
                number=number,
                stamp_s=stamp,
                step_s=step_s,
                decoded=not av_frame.is_corrupt,
                width_px=width,
                height_px=height,
                av_frame=av_frame,
                display=display,
                length_s=length_s,
                neighbours=neighbours,
            )
        if number == 0:
            raise MediaError(f"{path} has no frame that can be decoded", REMEDY)


def read_frames(video: Path, num_frames: int) -> Iterator[Frame]:
    """Yield the frames of a video whose timeline has `num_frames`.

    If it is 0 (a skipped video), the file is not opened. Raises InputError if the video no longer has that many frames.
    """
    if num_frames == 0:
        return
    number = 0
    for frame in read_video(video):
        number = frame.number
        if number > num_frames:
            break
        yield frame
    if number != num_frames:
        raise InputError(
            f"{video} no longer has the {num_frames} frames of its timeline",
            "delete its file in results/timeline and run the workflow again",
        )


def upright(stored: np.ndarray, display: np.ndarray) -> np.ndarray:
    """Rotate and mirror a stored frame [H, W, 3] according to its display matrix.

    display: int [2, 2], a rotation by a multiple of 90 degrees with or without a mirror: (x, y) of the stored frame is
    in direction (x a + y c, x b + y d) of the upright frame, with [[a, b], [c, d]]. Source: libavutil/display.h.
    """
    transposed = _is_transposed(display)
    along_x, along_y = (display[1, 0], display[0, 1]) if transposed else (display[0, 0], display[1, 1])
    turned = stored.transpose(1, 0, 2) if transposed else stored
    if along_x < 0:
        turned = turned[:, ::-1]
    if along_y < 0:
        turned = turned[::-1]
    return np.ascontiguousarray(turned)


def _stamped(
    frames: Iterable[av.VideoFrame], container: InputContainer, stream: VideoStream
) -> Iterator[tuple[av.VideoFrame, Fraction | None]]:
    """Each frame with its presentation time in s, None if it has none."""
    if container.format.name != "avi":
        for frame in frames:
            yield frame, None if frame.pts is None else frame.pts * stream.time_base
        return
    # AVI stores no presentation times: libavformat's guess for H.264 with B-frames is out of order, while the decoding
    # times of frames in display order are evenly spaced. They start when the decoder releases the first frame; the
    # file's clock starts with that frame.
    start = (stream.start_time or 0) * stream.time_base
    hold_s, held_s, first = first_frame_hold_s(container, stream), Fraction(0), None
    for number, frame in enumerate(frames):
        stamp = None if frame.dts is None else frame.dts * stream.time_base - held_s
        if number == 1 and hold_s and first is not None and stamp == first + hold_s + stream.time_base:
            held_s = hold_s
            stamp -= held_s
        first = stamp if first is None else first
        yield frame, None if stamp is None else stamp - first + start


def _with_neighbours(stamped: Iterable[tuple[av.VideoFrame, Fraction | None]], codec: str) -> Iterator[tuple]:
    """Each frame, its time, and its neighbours if it is interlaced, else None; reads ahead for interlaced ones only."""
    before, waiting = None, None
    for frame, stamp in stamped:
        if waiting:
            yield *waiting, (before, frame)
            before, waiting = waiting[0], None
        if needs_deinterlacing(frame, codec):
            waiting = frame, stamp
        else:
            yield frame, stamp, None
            before = frame
    if waiting:
        yield *waiting, (before, None)


def _decode(packets: Iterator[Packet], stream: VideoStream, path: Path) -> Iterator[av.VideoFrame]:
    failed = 0
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            break
        except av.error.MemoryError:
            raise
        except av.error.FFmpegError as error:
            logging.warning("%s ends early: %s", path, error.strerror)
            packet = None  # flushes the decoder
        try:
            frames = stream.decode(packet)
        except av.error.MemoryError:
            raise  # a reader with more memory would count more frames
        except av.error.FFmpegError:
            failed += 1
            frames = []
        yield from frames
        if packet is None:
            break
    if failed:
        logging.warning("%s: %d packets do not decode and are left out", path, failed)


def _display_matrix(av_frame: av.VideoFrame) -> np.ndarray:
    """Rotation and mirror of a frame's display matrix, int [2, 2], to the nearest quarter turn."""
    # Not av_frame.side_data, which would make a reference cycle: some hundred frames would wait in memory for the
    # garbage collector.
    stored = SideDataContainer(av_frame).get("DISPLAYMATRIX")
    if stored is None:
        return np.eye(2, dtype=int)
    matrix = np.frombuffer(bytes(stored), np.int32).reshape(3, 3)[:2, :2]
    diagonal = np.abs(np.diag(matrix)).sum() >= np.abs(np.diag(matrix[::-1])).sum()
    kept = matrix * (np.eye(2, dtype=int) if diagonal else np.eye(2, dtype=int)[::-1])
    return np.sign(kept) if np.count_nonzero(kept) == 2 else np.eye(2, dtype=int)


def _is_transposed(display: np.ndarray) -> bool:
    return bool(display[0, 0] == 0)


def _square_size(av_frame: av.VideoFrame, pixel_aspect: Fraction | None) -> tuple[int, int]:
    """Width and height in px of a stored frame after conversion to square pixels; the height stays the same."""
    if pixel_aspect and Fraction(1, WIDEST_PIXEL) <= pixel_aspect <= WIDEST_PIXEL:
        return max(1, round(av_frame.width * pixel_aspect)), av_frame.height
    return av_frame.width, av_frame.height
