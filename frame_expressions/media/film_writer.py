"""A film for people from frames at given times, with sound: H.264 and AAC in MP4, the same bytes each time."""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from frame_expressions.artifacts.atomic import atomic_write
from frame_expressions.media.audio import open_audio
from frame_expressions.runtime.errors import InputError

TICKS_PER_S = 90_000
SOUND_BLOCK = 1024  # samples of an AAC frame


def write_film(path: Path, frames: Iterable[tuple[float, float, np.ndarray]], sound: Path | None) -> None:
    """Encode a film whose frames are shown when and as long as they say.

    frames: start (s, from 0, rising), length (s) and picture, uint8 [H, W, 3], RGB, all of one size with even sides.
    sound: an audio file that begins with the first frame, or None.
    """
    with atomic_write(path) as temporary, av.open(str(temporary), "w", format="mp4", options=_EXACT) as film:
        pictures = None
        blocks = _sound_packets(film, sound) if sound else iter(())
        coming = None
        for start_s, length_s, rgb in frames:
            if pictures is None:
                pictures = _Pictures(film, rgb.shape[1], rgb.shape[0])
                coming = next(blocks, None)
            pictures.add(start_s, length_s, rgb)
            while coming and coming[0] <= start_s:  # so that a player need not jump in the file
                film.mux(coming[1])
                coming = next(blocks, None)
        pictures.finish()
        while coming:
            film.mux(coming[1])
            coming = next(blocks, None)


_EXACT = {"fflags": "+bitexact", "movflags": "+faststart"}


class _Pictures:
    """The film's picture stream."""

    def __init__(self, film: av.container.OutputContainer, width_px: int, height_px: int):
        self._film = film
        self._stream = film.add_stream("libx264", rate=Fraction(30), options={"preset": "veryfast", "crf": "23"})
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
            self._film.mux(packet)


def _sound_packets(film: av.container.OutputContainer, sound: Path) -> Iterator[tuple[float, list[av.Packet]]]:
    """Packets of the sound, with the time (s) at which what they hold begins."""
    with open_audio(sound) as opened:
        layout = "mono" if opened.channels == 1 else "stereo"
        stream = film.add_stream("aac", rate=opened.samplerate, layout=layout)
        stream.codec_context.flags |= av.codec.context.Flags.bitexact
        position = 0
        for block in opened.blocks(SOUND_BLOCK, dtype="float32", always_2d=True):
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block.T), format="fltp", layout=layout)
            frame.sample_rate, frame.pts, frame.time_base = opened.samplerate, position, Fraction(1, opened.samplerate)
            yield position / opened.samplerate, stream.encode(frame)
            position += len(block)
        if position != opened.frames:
            raise InputError(f"{sound} is cut off", "delete it and run the workflow again")
        yield position / opened.samplerate, stream.encode(None)
