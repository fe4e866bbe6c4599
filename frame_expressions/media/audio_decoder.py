"""Decodes one audio stream to 16 kHz mono, and says when each of its frames belongs."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import av.error
import numpy as np
from av.audio.stream import AudioStream
from av.packet import Packet

from frame_expressions.media.clock import Clock
from frame_expressions.media.clock_reader import clocked_packets
from frame_expressions.media.container import open_media

SAMPLE_RATE = 16000
BLOCK_S = 1.0  # of audio that are mixed and handed on together
OPPOSITE_SHARE = 0.1
"""If the mean of two channels has less than this share of their energy, they are of opposite phase and cancel."""

_LAYOUTS = {1: "mono", 2: "stereo", 3: "2.1", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}


@dataclass(frozen=True)
class Block:
    """Consecutive decoded audio.

    samples: int16 [N], 16 kHz mono. stamps_s: [K], the time of each decoded frame on the file's clock, NaN if it has
    none. starts: int64 [K], the number of the frame's first sample, counted from the first sample of the stream.
    failures: packets so far that do not decode, and the decoder's last word on one. num_cancelled: blocks so far whose
    channels cancel, so that the louder one was taken.
    """

    samples: np.ndarray
    stamps_s: np.ndarray
    starts: np.ndarray
    failures: tuple[int, str]
    num_cancelled: int


class _Mixer:
    """Mixes frames of one format and rate to mono and resamples them, without a seam from block to block."""

    def __init__(self, frame: av.AudioFrame, start: int):
        """start: number of the first sample that comes out."""
        self.format = _format_of(frame)
        self.start = start
        self._resampler = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
        self._num_in, self._num_out = 0, 0

    @property
    def next_start(self) -> int:
        """Number of the sample at which the next frame begins."""
        return self.start + round(self._num_in * SAMPLE_RATE / self.format[0])

    def feed(self, frame: av.AudioFrame) -> list[np.ndarray]:
        """The samples, int16, that come out once `frame` went in; they lag behind."""
        self._num_in += frame.samples
        frame.pts = None
        return self._drain(frame)

    def finish(self) -> list[np.ndarray]:
        """The last samples; then as many came out as the frames last."""
        missing = self.next_start - self.start - self._num_out
        last = np.concatenate([*self._drain(None), np.zeros(max(0, missing), np.int16)])
        return [last[: max(0, missing)]]

    def _drain(self, frame: av.AudioFrame | None) -> list[np.ndarray]:
        ready = [made.to_ndarray()[0] for made in self._resampler.resample(frame)]
        self._num_out += sum(map(len, ready))
        return ready


def decode_blocks(path: Path, index: int, clock: Clock, until_s: float) -> Iterator[Block]:
    """Decode the stream number `index` of a file, a second at a time, to `until_s` on its clock.

    Packets that do not decode are left out.
    """
    with open_media(path) as container:
        stream = container.streams[index]
        stream.codec_context.thread_count = 1
        decoder = _Decoder(stream)
        mixer, energy, num_cancelled = None, np.zeros(2), 0
        for frames in _seconds(decoder.frames(_stored_stamps(clocked_packets(container, stream, clock)))):
            stamps = [np.nan if frame.pts is None else float(frame.pts * frame.time_base) for frame in frames]
            starts, made = [], []
            louder = _louder_of_opposite(frames, energy)
            num_cancelled += louder is not None
            for frame in frames:
                if mixer is None or mixer.format != _format_of(frame):
                    start = 0 if mixer is None else mixer.next_start
                    made += mixer.finish() if mixer else []
                    mixer = _Mixer(frame, start)
                starts.append(mixer.next_start)
                made += mixer.feed(_mixable(frame, louder))
            yield _block(made, stamps, starts, decoder.failures, num_cancelled)
            if not np.isnan(stamps).all() and np.nanmin(stamps) > until_s:
                break
        last = mixer.finish() if mixer else []
        yield _block(last, [], [], decoder.failures, num_cancelled)


def _block(made: list, stamps: list, starts: list, failures: tuple[int, str], num_cancelled: int) -> Block:
    samples = np.concatenate([np.zeros(0, np.int16), *made])
    return Block(samples, np.array(stamps, float), np.array(starts, np.int64), failures, num_cancelled)


def _stored_stamps(packets: Iterator[Packet]) -> Iterator[Packet]:
    """The packets, without the stamps that the demuxer computes for those that follow another in one block.

    It takes each for as long as the stream's first ones, which is wrong once the format has changed.
    """
    knows_positions = False
    for packet in packets:
        knows_positions |= packet.pos is not None
        if knows_positions and packet.pos is None and packet.size:
            packet.pts = packet.dts = None
        yield packet


class _Decoder:
    """Decodes packets and counts those that do not decode."""

    def __init__(self, stream: AudioStream):
        self._stream = stream
        self.failures = 0, ""

    def frames(self, packets: Iterator[Packet]) -> Iterator[av.AudioFrame]:
        """The decoded frames; ends where the file is cut off."""
        while True:
            try:
                packet = next(packets, None)
            except av.error.MemoryError:
                raise
            except av.error.FFmpegError as error:
                logging.warning("the audio ends early: %s", error.strerror)
                packet = None
            try:
                yield from self._stream.decode(packet)
            except av.error.MemoryError:
                raise
            except av.error.FFmpegError as error:
                self.failures = self.failures[0] + 1, error.strerror
            if packet is None or packet.size == 0:
                return


def _seconds(frames: Iterator[av.AudioFrame]) -> Iterator[list[av.AudioFrame]]:
    """Group frames of one format so that a group lasts about BLOCK_S."""
    group: list[av.AudioFrame] = []
    length_s = 0.0
    for frame in chain(frames, [None]):
        if group and (frame is None or length_s >= BLOCK_S or _format_of(frame) != _format_of(group[0])):
            yield group
            group, length_s = [], 0.0
        if frame is not None and frame.samples and frame.sample_rate:
            group.append(frame)
            length_s += frame.samples / frame.sample_rate


def _format_of(frame: av.AudioFrame) -> tuple[int, str, str]:
    return frame.sample_rate, frame.format.name, frame.layout.name


def _louder_of_opposite(frames: list[av.AudioFrame], energy: np.ndarray) -> int | None:
    """The louder of two channels that cancel in these frames, else None. energy [2]: of the stream so far; updated."""
    if len(frames[0].layout.channels) != 2:
        return None
    left_right = np.concatenate([_channels(frame) for frame in frames], axis=1).astype(np.float64)
    left_right[~np.isfinite(left_right)] = 0
    if frames[0].format.name.startswith("u8"):
        left_right -= 128
    of_channels = (left_right**2).sum(axis=1)
    energy += of_channels
    if (left_right.mean(axis=0) ** 2).sum() >= OPPOSITE_SHARE * of_channels.mean():
        return None
    return int(energy[1] > 2 * energy[0])  # not the exact louder one, which could change from block to block


def _channels(frame: av.AudioFrame) -> np.ndarray:
    """The samples of a frame, [channels, N], in its own format."""
    stored = frame.to_ndarray()
    return stored if frame.format.is_planar else stored.reshape(-1, len(frame.layout.channels)).T


def _mixable(frame: av.AudioFrame, louder: int | None) -> av.AudioFrame:
    """The frame with one channel in place of both, and with a layout that can be mixed if it states none."""
    num_channels = len(frame.layout.channels)
    is_known = "channels" not in frame.layout.name
    if louder is None and (is_known or num_channels not in _LAYOUTS):
        return frame
    channels = _channels(frame)
    if louder is not None:
        channels = np.repeat(channels[louder : louder + 1], 2, axis=0)
    stored = channels if frame.format.is_planar else channels.T.reshape(1, -1)
    layout = frame.layout.name if is_known else _LAYOUTS[num_channels]
    mixable = av.AudioFrame.from_ndarray(np.ascontiguousarray(stored), frame.format.name, layout)
    mixable.sample_rate = frame.sample_rate
    return mixable
