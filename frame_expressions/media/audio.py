"""A video's audio, aligned to the video's clock, and the artifact that stores it.

Samples are 16 kHz mono; sample 0 is at the presentation time of the first frame.
"""

import errno
import json
import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import ffmpeg
import imageio_ffmpeg
import numpy as np
import soundfile

from frame_expressions.artifacts.atomic import atomic_write
from frame_expressions.artifacts.vocabulary import AUDIBLE, NO_AUDIO, SILENT
from frame_expressions.media.avi import audio_delay_s
from frame_expressions.media.child_process import run_limited
from frame_expressions.media.container import ONLY_THIS_FILE, REMEDY, media_url, open_media
from frame_expressions.media.limits import Limits
from frame_expressions.media.timeline import duration_s
from frame_expressions.media.video import start_time_s
from frame_expressions.runtime.errors import InputError, MediaError, unreadable

SAMPLE_RATE = 16000
LARGEST_SLIP_S = 0.005  # between a packet's time stamp and its audio; beyond it, silence is inserted or audio is cut
SLOWEST = 10  # longest time to read and decode audio, as a multiple of its length; a hundredth is common
BLOCK_SAMPLES = 1 << 20
_INPUT = "the video"  # a placeholder, since ffmpeg-python accepts only names in UTF-8
_FFMPEG = (
    "install it again with `pip install --force-reinstall --no-deps imageio-ffmpeg`, "
    "or set IMAGEIO_FFMPEG_EXE to its path"
)


class UndecodableAudio(MediaError):
    """Audio that cannot be decoded at all; the video is used without it."""


def aligned_audio(video: Path, time_s: np.ndarray, limits: Limits) -> tuple[np.ndarray, str]:
    """A video's audio, int16 [N], from its first frame to the end of its last, and its state, one of AUDIO_STATES.

    time_s: the timeline [T], T >= 1. Silence fills what the audio does not cover; see `decode_audio`, which raises.
    """
    num_samples = aligned_length(time_s)
    with tempfile.TemporaryFile() as decoded:
        num_decoded = decode_audio(video, start_time_s(video), num_samples, decoded, limits)
        over_s = (num_decoded - num_samples) / SAMPLE_RATE
        if over_s < 0:
            logging.info("the last %.3f s have no audio: padded with silence", -over_s)
        elif over_s > 0:
            logging.info("the audio continues for at least %.3f s after the last frame: cut", over_s)
        decoded.truncate(2 * num_samples)  # adds zeros if fewer samples were decoded
        samples = np.memmap(decoded, np.int16, "r", shape=(num_samples,))
    return samples, NO_AUDIO if num_decoded == 0 else AUDIBLE if samples.any() else SILENT


def no_audio(time_s: np.ndarray) -> tuple[np.ndarray, str]:
    """What `aligned_audio` returns for a video without audio; an empty timeline gives one sample, as FLAC needs one."""
    return np.zeros(aligned_length(time_s), np.int16), NO_AUDIO


def aligned_length(time_s: np.ndarray) -> int:
    """Number of audio samples for a timeline [T], at least 1."""
    return max(1, round(duration_s(time_s) * SAMPLE_RATE))


def decode_audio(video: Path, start_s: float, num_samples: int, samples_file: BinaryIO, limits: Limits) -> int:
    """Decode the first audio stream into an open binary file as int16 and return the number of samples.

    The first sample is at `start_s` on the container's clock: earlier audio is cut. Silence fills the time before audio
    that starts later, gaps, and, with a warning, parts that do not decode. Decoding ends at most one second after
    `num_samples`. Returns 0 if there is no audio stream. Raises UndecodableAudio if no decoder knows its format or
    none of it can be decoded, and MediaError if ffmpeg itself fails or `limits` are exceeded.
    """
    with open_media(video) as container:
        if not container.streams.audio:
            return 0
        stream = container.streams.audio[0]
        codec = stream.codec_context
        if codec is None:
            raise UndecodableAudio(f"{_left_out(video)}: no decoder knows its format", REMEDY)
        if codec.sample_rate == 0:  # libavformat decodes a little of a stream that states no sample rate
            raise UndecodableAudio(f"{_left_out(video)}: none of it can be decoded", REMEDY)
        late_s = float((stream.start_time or 0) * stream.time_base) - start_s
        if late_s > LARGEST_SLIP_S:
            logging.info("the first %.3f s have no audio: padded with silence", late_s)
        elif late_s < -LARGEST_SLIP_S:
            logging.info("the audio starts %.3f s before the first frame: cut", -late_s)
        start_s += float(audio_delay_s(container))
    audio = ffmpeg.input(_INPUT, **ONLY_THIS_FILE, threads=1)["a:0"]
    audio = audio.filter("asetpts", f"PTS-({start_s!r})/TB")
    # async=1: insert silence or cut where time stamps and audio disagree; never stretch.
    audio = audio.filter("aresample", SAMPLE_RATE, **{"async": 1, "first_pts": 0, "min_hard_comp": LARGEST_SLIP_S})
    audio = audio.filter("atrim", end_sample=num_samples + SAMPLE_RATE)
    try:
        program = imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError as error:
        raise InputError("No ffmpeg was found", _FFMPEG) from error
    command = (
        audio.output("pipe:", format="s16le", acodec="pcm_s16le", ac=1, max_error_rate=1)  # keep what decodes
        .global_args("-nostdin", "-hide_banner", "-loglevel", "error", "-copyts")
        .compile(cmd=program)
    )
    command = [media_url(video) if part == _INPUT else part for part in command]
    try:
        done = run_limited(command, video, limits, samples_file, over_s=SLOWEST * num_samples / SAMPLE_RATE)
    except (FileNotFoundError, PermissionError) as error:
        raise InputError(f"{program} cannot be run ({error.strerror})", _FFMPEG) from error
    lines = done.stderr.decode(errors="replace").strip().splitlines() or ["no message"]
    if any(os.strerror(errno.ENOSPC) in line for line in lines):
        raise OSError(errno.ENOSPC, lines[-1])  # not the file's fault
    if done.returncode != 0:
        raise MediaError(f"The audio of {video} cannot be decoded (ffmpeg: {lines[-1]})", REMEDY, lines[-1])
    num_decoded = os.fstat(samples_file.fileno()).st_size // 2
    failures = [line for line in lines if "[dec:" in line]  # other lines are about the frames, which ffmpeg probes too
    if num_decoded == 0:
        raise UndecodableAudio(f"{_left_out(video)}: none of it can be decoded", REMEDY, lines[-1])
    if failures:
        logging.warning(
            "The audio of %s is damaged (ffmpeg: %s): silence replaces the damaged parts", video, failures[-1]
        )
    return num_decoded


def _left_out(video: Path) -> str:
    return f"The audio of {video} is left out"


def write_audio(samples: np.ndarray, state: str, path: Path, provenance: dict) -> None:
    """Write int16 samples [N], N >= 1, as FLAC, with state and provenance in its comment."""
    with atomic_write(path) as temporary:
        with soundfile.SoundFile(temporary, "w", SAMPLE_RATE, 1, "PCM_16", format="FLAC") as flac:
            flac.comment = json.dumps({"state": state, "provenance": provenance}, sort_keys=True)
            for start in range(0, len(samples), BLOCK_SAMPLES):
                flac.write(samples[start : start + BLOCK_SAMPLES])


def read_audio(path: Path) -> tuple[np.ndarray, str]:
    """Read samples, float32 [N] in [-1, 1), and their audio state.

    Raises InputError if the file is cut off, is not FLAC, or was not written by `write_audio`.
    """
    with open_audio(path) as flac:
        samples, state = flac.read(dtype="float32"), state_of(flac)
        if len(samples) != flac.frames:
            raise InputError(f"{path} is cut off", "delete it and run the workflow again")
    return samples, state


@contextmanager
def open_audio(path: Path) -> Iterator[soundfile.SoundFile]:
    """Open what `write_audio` wrote; raises InputError if it is damaged, also for reads within the block."""
    try:
        with soundfile.SoundFile(path) as flac:
            yield flac
    except soundfile.LibsndfileError as error:
        raise unreadable(path, "FLAC", error.error_string) from error


def state_of(flac: soundfile.SoundFile) -> str:
    """The audio state of an open file; raises InputError if `write_audio` did not write it."""
    try:
        return json.loads(flac.comment)["state"]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{flac.name} does not state whether it is audible", "delete it and run the workflow again"
        ) from error


def read_audio_provenance(path: Path) -> dict:
    """The provenance entry, read without decoding a sample; raises InputError if there is none."""
    with open_audio(path) as flac:
        try:
            return json.loads(flac.comment)["provenance"]
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path} has no provenance entry", "delete it and run the workflow again") from error
