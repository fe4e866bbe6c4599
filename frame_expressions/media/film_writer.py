"""Writes an overlay video for people to watch: H.264 and AAC in MP4, the same bytes each time."""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from frame_expressions.artifacts.atomic import atomic_write
from frame_expressions.media.audio import open_audio
from frame_expressions.runtime.errors import InputError

TICKS_PER_S = 90_000
AAC_FRAME_SAMPLES = 1024


def write_video(path: Path, frames: Iterable[tuple[float, float, np.ndarray]], audio: Path | None) -> None:
    """Encode a video from frames with given times, and audio.

    frames: start (s, from 0, strictly increasing), length (s) and image, uint8 [H, W, 3], RGB, all of one size with
    even sides. audio: an audio file that starts with the first frame, or None.
    """
    with atomic_write(path) as temporary, av.open(str(temporary), "w", format="mp4", options=_EXACT) as video:
        stream = None
        blocks = _audio_packets(video, audio) if audio else iter(())
        coming = None
        for start_s, length_s, rgb in frames:
            if stream is None:
                stream = _VideoStream(video, rgb.shape[1], rgb.shape[0])
                coming = next(blocks, None)
            stream.add(start_s, length_s, rgb)
            while coming and coming[0] <= start_s:  # interleaved, so a player need not seek
                video.mux(coming[1])
                coming = next(blocks, None)
        stream.finish()
        while coming:
            video.mux(coming[1])
            coming = next(blocks, None)


_EXACT = {"fflags": "+bitexact", "movflags": "+faststart"}
# Without B-frames: MP4 stores lengths in the order of decoding, and the last frame's would be lost.
_H264 = {"preset": "veryfast", "crf": "23", "bf": "0"}


class _VideoStream:
    """The video stream of the file."""

    def __init__(self, video: av.container.OutputContainer, width_px: int, height_px: int):
        self._video = video
        self._stream = video.add_stream("libx264", rate=Fraction(30), options=_H264)
        self._stream.width, self._stream.height, self._stream.pix_fmt = width_px, height_px, "yuv420p"
        context = self._stream.codec_context
        context.time_base, context.thread_count = Fraction(1, TICKS_PER_S), 1
        context.flags |= av.codec.context.Flags.bitexact
        self._length: dict[int, int] = {}

    def add(self, start_s: float, length_s: float, rgb: np.ndarray) -> None:
        frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
        frame.pts, frame.time_base = round(start_s * TICKS_PER_S), Fraction(1, TICKS_PER_S)
        self._length[frame.pts] = round((start_s + length_s) * TICKS_PER_S) - frame.pts
        self._mux(self._stream.encode(frame))

    def finish(self) -> None:
        self._mux(self._stream.encode(None))

    def _mux(self, packets: list[av.Packet]) -> None:
        for packet in packets:
            packet.duration = self._length.pop(packet.pts)
            self._video.mux(packet)


def _audio_packets(video: av.container.OutputContainer, audio: Path) -> Iterator[tuple[float, list[av.Packet]]]:
    """Packets of the audio, each with the start time (s) of its samples."""
    with open_audio(audio) as opened:
        layout = "mono" if opened.channels == 1 else "stereo"
        stream = video.add_stream("aac", rate=opened.samplerate, layout=layout)
        stream.codec_context.flags |= av.codec.context.Flags.bitexact
        position = 0
        for block in opened.blocks(AAC_FRAME_SAMPLES, dtype="float32", always_2d=True):
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block.T), format="fltp", layout=layout)
            frame.sample_rate, frame.pts, frame.time_base = opened.samplerate, position, Fraction(1, opened.samplerate)
            yield position / opened.samplerate, stream.encode(frame)
            position += len(block)
        if position != opened.frames:
            raise InputError(f"{audio} is cut off", "delete it and run the workflow again")
        yield position / opened.samplerate, stream.encode(None)
