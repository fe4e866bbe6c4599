"""Clips in which the number and time of every frame and every beep are known."""

import shlex
import struct
import subprocess
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
from PIL import Image

from tests.alignment import beeps, numbered_frames

LENGTH_S = 1.8
BEEP_SHARES = (0.1, 0.33, 0.52, 0.7, 0.88)  # where in the clip the beeps lie
SAMPLES_PER_PACKET = 1024
FFMPEG = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-hide_banner", "-loglevel", "error", "-y"]


@dataclass(frozen=True)
class Clip:
    """How a clip is made; its file name's suffix says the container. Options are ffmpeg's.

    rate: frames per s; steps_ms instead: the intervals of a variable rate, as whole clip. starts_s: the first
    frame's time stamp. size: width and height in px as shown, upright with square pixels. rotation: degrees by
    which the display matrix turns the stored frame counterclockwise; mirrored: left to right after that.
    audio_from_s and audio_to_s: where the recording starts and ends, from the first frame (None: the clip's end).
    hidden: frames at the start that an edit list hides. cover: a still image as the first video stream.
    copy_stamps: hand times to the writer as they are; else it moves them so that none is below zero.
    second_video, second_audio: other frames and other beeps as further streams. then: options of a second pass
    that copies the streams. joined: two halves, recorded one after the other, whose time stamps both begin anew.
    kept_share: share of the file that is kept. largest_slip_s: of a frame's time, where its stamp is not stored.
    """

    name: str
    video: str
    audio: str | None = "-c:a aac"
    rate: Fraction = Fraction(25)
    steps_ms: tuple[int, ...] | None = None
    starts_s: Fraction = Fraction(0)
    size: tuple[int, int] = (160, 128)
    pixel_aspect: Fraction = Fraction(1)
    rotation: int = 0
    mirrored: bool = False
    hz: int = 48000
    channels: int = 1
    silent: bool = False
    audio_from_s: float = 0.0
    audio_to_s: float | None = None
    hidden: int = 0
    copy_stamps: bool = True
    cover: bool = False
    second_video: bool = False
    second_audio: bool = False
    then: str | None = None
    joined: bool = False
    largest_slip_s: float = 0.001  # Matroska and FLV round to it
    kept_share: float = 1.0

    @cached_property
    def stored_times_s(self) -> list[Fraction]:
        """Time of every stored frame from the first one shown."""
        if self.steps_ms is not None:
            times = [Fraction(0)]
            for step in self.steps_ms:
                times.append(times[-1] + Fraction(step, 1000))
        else:
            times = [number / self.rate for number in range(round(LENGTH_S * self.rate))]
        return [time - times[self.hidden] for time in times]

    @property
    def times_s(self) -> list[Fraction]:
        """Time of every frame shown: frame k's is at k - 1."""
        return self.stored_times_s[self.hidden :]

    @property
    def end_s(self) -> float:
        """Where the last frame ends."""
        return float(self.times_s[-1] + (self.times_s[-1] - self.times_s[0]) / (len(self.times_s) - 1))

    @cached_property
    def beep_frames(self) -> list[int]:
        """Frames, 1-based, at whose time a beep lies."""
        times = np.array([float(time) for time in self.times_s])
        return [1 + int(np.argmin(np.abs(times - share * times[-1]))) for share in BEEP_SHARES]

    @property
    def heard(self) -> list[int]:
        """Which of the beeps are in the recording."""
        if self.audio is None or self.silent:
            return []
        span = self.audio_from_s, self.audio_to_s or self.end_s
        return [which for which, time in enumerate(self.beep_times_s) if beeps.is_within(time, *span)]

    @property
    def beep_times_s(self) -> list[float]:
        """Time of every beep from the first frame shown."""
        return [float(self.times_s[frame - 1]) for frame in self.beep_frames]

    @property
    def state(self) -> str:
        """What resample_audio should call the audio."""
        return "no_audio" if self.audio is None else "silent" if self.silent else "audible"


def _write_halves(command: list[str], path: Path, clip: Clip) -> None:
    """Encode the first and the second half by themselves, and put one file behind the other."""
    middle_s = float(clip.times_s[len(clip.times_s) // 2])
    halves = [path.with_name(f"half{number}{path.suffix}") for number in (1, 2)]
    for half, between in zip(halves, (["-t", f"{middle_s}"], ["-ss", f"{middle_s}"]), strict=True):
        _ffmpeg([*command, *between, str(half)])
    path.write_bytes(b"".join(half.read_bytes() for half in halves))
    for half in halves:
        half.unlink()


def make(clip: Clip, folder: Path) -> Path:
    """Write the clip into `folder` and return its path."""
    source, path = folder / "source.nut", folder / clip.name
    _write_source(clip, source)
    command = ["-copyts"] * clip.copy_stamps + ["-i", str(source)]
    command += [word for number in range(_num_streams(clip)) for word in ("-map", f"0:{number}")]
    command += ["-fps_mode", "passthrough", *shlex.split(clip.video), *shlex.split(clip.audio or "")]
    if clip.pixel_aspect != 1:
        command += ["-vf", f"setsar={clip.pixel_aspect}"]
    if clip.cover:
        command += ["-c:v:0", "mjpeg", "-bf:v:0", "0", "-pix_fmt:v:0", "yuvj420p", "-disposition:v:0", "attached_pic"]
        command += ["-disposition:v:1", "default"]
    if clip.joined:
        _write_halves(command, path, clip)
    elif clip.then is None:
        _ffmpeg([*command, str(path)])
    else:
        whole = folder / f"whole{path.suffix}"
        _ffmpeg([*command, str(whole)])
        _ffmpeg([*shlex.split(clip.then.format(source=shlex.quote(str(whole)))), "-map", "0", "-c", "copy", str(path)])
        whole.unlink()
    source.unlink()
    if path.suffix == ".avi" and clip.audio_from_s > 0:
        _start_avi_audio(path, clip.audio_from_s)
    if clip.cover:
        _put_cover_first(path)
    if clip.kept_share < 1:
        content = path.read_bytes()
        path.write_bytes(content[: round(clip.kept_share * len(content))])
    return path


def _ffmpeg(options: list[str]) -> None:
    done = subprocess.run([*FFMPEG, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ffmpeg {shlex.join(options)}: {done.stderr}"


def _start_avi_audio(path: Path, start_s: float) -> None:
    """Write the start time into the audio stream's header, where ffmpeg leaves zero."""
    content = bytearray(path.read_bytes())
    header = content.index(b"auds", content.index(b"strh"))  # then 16 bytes to the time base and the start
    scale, rate = struct.unpack_from("<II", content, header + 20)
    struct.pack_into("<I", content, header + 28, round(start_s * rate / scale))
    path.write_bytes(content)


def _put_cover_first(path: Path) -> None:
    """Move an MP4 file's cover in front of its tracks, where it becomes the first video stream."""
    content = path.read_bytes()
    start = content.index(b"moov") + 4
    end = start - 8 + struct.unpack(">I", content[start - 8 : start - 4])[0]
    boxes, at = [], start
    while at < end:
        size = struct.unpack_from(">I", content, at)[0]
        boxes.append(content[at : at + size])
        at += size
    boxes.sort(key=lambda box: [b"mvhd", b"udta", b"trak"].index(box[4:8]))
    path.write_bytes(content[:start] + b"".join(boxes) + content[end:])


def _num_streams(clip: Clip) -> int:
    return 1 + clip.cover + clip.second_video + (clip.audio is not None) + clip.second_audio


def _write_source(clip: Clip, path: Path) -> None:
    """All streams uncompressed, with their exact times."""
    step = Fraction(1, 1000) if clip.steps_ms else 1 / clip.rate
    with av.open(str(path), "w", format="nut") as container:
        packets = []
        shown = [number + 1 - clip.hidden for number in range(len(clip.stored_times_s))]
        stamps = [(time - clip.stored_times_s[0] + clip.starts_s) / step for time in clip.stored_times_s]
        if clip.cover:
            packets += _video_packets(container, clip, [numbered_frames.LARGEST_NUMBER], stamps[:1], step)
        packets += _video_packets(container, clip, shown, stamps, step)
        if clip.second_video:
            packets += _video_packets(container, clip, [number + 100 for number in shown], stamps, step)
        first_s = float(clip.starts_s - clip.stored_times_s[0])  # the first frame shown
        if clip.audio is not None:
            packets += _audio_packets(container, clip, clip.beep_times_s, first_s)
        if clip.second_audio:
            packets += _audio_packets(container, clip, [time + 0.1 for time in clip.beep_times_s], first_s)
        for packet in sorted(packets, key=lambda packet: packet.pts * packet.time_base):
            container.mux(packet)


def _video_packets(
    container, clip: Clip, numbers: list[int], stamps: list[Fraction], step: Fraction
) -> list[av.Packet]:
    stream = container.add_stream("rawvideo", rate=1 / step)
    stored = [_stored(numbered_frames.draw(number % 256, clip.size), clip) for number in numbers]
    (stream.height, stream.width), stream.pix_fmt = stored[0].shape[:2], "rgb24"
    stream.codec_context.time_base = stream.time_base = step
    packets = []
    for image, stamp in zip(stored, stamps, strict=True):
        assert stamp.denominator == 1, f"{clip.name}: {stamp} is no whole number of steps"
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        frame.pts, frame.time_base = int(stamp), step
        packets += stream.encode(frame)
    return packets + stream.encode(None)


def _stored(shown: np.ndarray, clip: Clip) -> np.ndarray:
    """The frame as the file holds it: mirrored, turned and squeezed, so that it is upright when shown."""
    if clip.mirrored:
        shown = shown[:, ::-1]
    turned = np.rot90(shown, -clip.rotation // 90)
    height, width = turned.shape[:2]
    squeezed = Image.fromarray(np.ascontiguousarray(turned)).resize((round(width / clip.pixel_aspect), height))
    return np.asarray(squeezed)


def _audio_packets(container, clip: Clip, times_s: list[float], first_s: float) -> list[av.Packet]:
    """The beeps, in the right channel only where there are two."""
    start_s, end_s = clip.audio_from_s, clip.audio_to_s or clip.end_s
    mono = beeps.draw(times_s, clip.hz, start_s, end_s) * (not clip.silent)
    samples = np.zeros((len(mono), clip.channels), np.int16)
    samples[:, -1] = np.round(mono * 32767)
    stream = container.add_stream("pcm_s16le", rate=clip.hz)
    stream.codec_context.layout = "stereo" if clip.channels == 2 else "mono"
    packets = []
    for start in range(0, len(samples), SAMPLES_PER_PACKET):
        part = samples[start : start + SAMPLES_PER_PACKET].reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(part, format="s16", layout=stream.codec_context.layout)
        frame.rate, frame.time_base = clip.hz, Fraction(1, clip.hz)
        frame.pts = round((first_s + start_s) * clip.hz) + start
        packets += stream.encode(frame)
    return packets + stream.encode(None)
