"""A video's sound on the video's clock, and the artifact that holds it.

Samples are 16 kHz mono; sample 0 lies at the first picture's presentation time.
"""

import errno
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import ffmpeg
import imageio_ffmpeg
import numpy as np
import soundfile

from frame_expressions.artifacts.atomic import atomic_write
from frame_expressions.media.avi import sound_delay_s
from frame_expressions.media.child_process import run_limited
from frame_expressions.media.container import ONLY_THIS_FILE, REMEDY, media_url, open_media
from frame_expressions.media.limits import Limits
from frame_expressions.runtime.errors import InputError, MediaError, unreadable

SAMPLE_RATE = 16000
LARGEST_SLIP_S = 0.005  # between a packet's time stamp and its sound, before silence is put in or sound left out
SLOWEST = 10  # times its own length that sound may take to be read and decoded; usual is a hundredth
BLOCK_SAMPLES = 1 << 20
_INPUT = "the video"  # in its place, since ffmpeg-python takes no name that is not UTF-8
_FFMPEG = (
    "install it again with `pip install --force-reinstall --no-deps imageio-ffmpeg`, or set IMAGEIO_FFMPEG_EXE to one"
)


class UndecodableSound(MediaError):
    """Sound of which nothing decodes; its video is used without."""


def decode_audio(video: Path, start_s: float, num_samples: int, samples_file: BinaryIO, limits: Limits) -> int:
    """Decode the first audio stream into an open binary file as int16 and return how many samples came.

    The first sample lies at `start_s` on the container's clock: earlier sound is cut, silence stands in front
    of sound that starts later, in its gaps, and for what does not decode, with a warning. Decoding ends at the latest
    one second after `num_samples`. Returns 0 where there is no audio stream. Raises UndecodableSound where no decoder
    knows it or nothing of it decodes, and MediaError where ffmpeg itself fails or `limits` are exceeded.
    """
    with open_media(video) as container:
        if not container.streams.audio:
            return 0
        stream = container.streams.audio[0]
        codec = stream.codec_context
        if codec is None:
            raise UndecodableSound(f"{_left_out(video)}: no decoder knows its format", REMEDY)
        if codec.sample_rate == 0:  # libavformat decodes a little of a stream that does not state its rate
            raise UndecodableSound(f"{_left_out(video)}: nothing of it decodes", REMEDY)
        late_s = float((stream.start_time or 0) * stream.time_base) - start_s
        if late_s > LARGEST_SLIP_S:
            logging.info("the first %.3f s have no sound: padded", late_s)
        elif late_s < -LARGEST_SLIP_S:
            logging.info("sound starts %.3f s before the first frame: cut", -late_s)
        start_s += float(sound_delay_s(container))
    sound = ffmpeg.input(_INPUT, **ONLY_THIS_FILE, threads=1)["a:0"]
    sound = sound.filter("asetpts", f"PTS-({start_s!r})/TB")
    # async=1: silence or cuts where time stamps leave the sound, never stretching.
    sound = sound.filter("aresample", SAMPLE_RATE, **{"async": 1, "first_pts": 0, "min_hard_comp": LARGEST_SLIP_S})
    sound = sound.filter("atrim", end_sample=num_samples + SAMPLE_RATE)
    try:
        program = imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError as error:
        raise InputError("No ffmpeg is found", _FFMPEG) from error
    command = (
        sound.output("pipe:", format="s16le", acodec="pcm_s16le", ac=1, max_error_rate=1)  # keep what decodes
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
        raise OSError(errno.ENOSPC, lines[-1])  # no fault of the file
    if done.returncode != 0:
        raise MediaError(f"The sound of {video} cannot be decoded (ffmpeg: {lines[-1]})", REMEDY, lines[-1])
    num_decoded = os.fstat(samples_file.fileno()).st_size // 2
    failures = [line for line in lines if "[dec:" in line]  # others tell of the pictures, which it looks at too
    if num_decoded == 0:
        raise UndecodableSound(f"{_left_out(video)}: nothing of it decodes", REMEDY, lines[-1])
    if failures:
        logging.warning("The sound of %s is damaged (ffmpeg: %s): silence stands for the rest", video, failures[-1])
    return num_decoded


def _left_out(video: Path) -> str:
    return f"The sound of {video} is left out"


def write_audio(samples: np.ndarray, state: str, path: Path, provenance: dict) -> None:
    """Write int16 samples [N] as FLAC, with state and provenance in its comment; N is at least 1."""
    with atomic_write(path) as temporary:
        with soundfile.SoundFile(temporary, "w", SAMPLE_RATE, 1, "PCM_16", format="FLAC") as flac:
            flac.comment = json.dumps({"state": state, "provenance": provenance}, sort_keys=True)
            for start in range(0, len(samples), BLOCK_SAMPLES):
                flac.write(samples[start : start + BLOCK_SAMPLES])


def read_audio(path: Path) -> tuple[np.ndarray, str]:
    """Read samples, float32 [N] in [-1, 1), and state: `sound`, `silent` (all zero) or `no_audio`.

    Raises InputError for a file that is cut off, no FLAC, or not this project's.
    """
    with open_audio(path) as flac:
        samples, state = flac.read(dtype="float32"), state_of(flac)
        if len(samples) != flac.frames:
            raise InputError(f"{path} is cut off", "delete it and run the workflow again")
    return samples, state


@contextmanager
def open_audio(path: Path) -> Iterator[soundfile.SoundFile]:
    """Open what `write_audio` wrote; raises InputError where it, or what is read of it in the block, is damaged."""
    try:
        with soundfile.SoundFile(path) as flac:
            yield flac
    except soundfile.LibsndfileError as error:
        raise unreadable(path, "FLAC", error.error_string) from error


def state_of(flac: soundfile.SoundFile) -> str:
    """The state that an open file states; InputError for a file that is not this project's."""
    try:
        return json.loads(flac.comment)["state"]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{flac.name} does not say whether there is sound", "delete it and run the workflow again"
        ) from error


def read_audio_made_by(path: Path) -> dict:
    """The provenance entry, without decoding a sample; raises InputError where there is none."""
    with open_audio(path) as flac:
        try:
            return json.loads(flac.comment)["provenance"]
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path} does not say what made it", "delete it and run the workflow again") from error
