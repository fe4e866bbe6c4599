"""A video's sound on the video's clock, and the artifact that holds it.

Samples are 16 kHz mono; sample 0 lies at the first picture's presentation time.
"""

import json
import os
import subprocess
from pathlib import Path

import ffmpeg
import imageio_ffmpeg
import numpy as np
import soundfile

from workflow_scripts.lib.artifacts import replacing
from workflow_scripts.lib.errors import InputError
from workflow_scripts.lib.media.container import ONLY_THIS_FILE, REMEDY, media_url, open_media

SAMPLE_RATE = 16000
SOUND, SILENT, NO_AUDIO = "sound", "silent", "no_audio"
LARGEST_SLIP_S = 0.005  # between a packet's time stamp and its sound, before silence is put in or sound left out
BLOCK_SAMPLES = 1 << 20


def has_audio(video: Path) -> bool:
    """Whether the file has an audio stream."""
    with open_media(video) as container:
        return len(container.streams.audio) > 0


def decode_audio(video: Path, start_s: float, num_samples: int, samples_file) -> int:
    """Decode the first audio stream into an open binary file as int16 and return how many samples came.

    The first sample lies at `start_s` on the container's clock: earlier sound is cut, silence stands in front
    of sound that starts later and in its gaps. Decoding ends at the latest one second after `num_samples`.
    Raises InputError with ffmpeg's last line where it fails.
    """
    stream = ffmpeg.input(media_url(video), **ONLY_THIS_FILE, threads=1)["a:0"]
    stream = stream.filter("asetpts", f"PTS-({start_s!r})/TB")
    # async=1: silence or cuts where time stamps leave the sound, never stretching.
    stream = stream.filter("aresample", SAMPLE_RATE, **{"async": 1, "first_pts": 0, "min_hard_comp": LARGEST_SLIP_S})
    stream = stream.filter("atrim", end_sample=num_samples + SAMPLE_RATE)
    command = (
        stream.output("pipe:", format="s16le", acodec="pcm_s16le", ac=1)
        .global_args("-nostdin", "-hide_banner", "-loglevel", "error", "-copyts")
        .compile(cmd=imageio_ffmpeg.get_ffmpeg_exe())
    )
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=samples_file, stderr=subprocess.PIPE)
    lines = done.stderr.decode(errors="replace").strip().splitlines() or ["no message"]
    if done.returncode != 0:
        raise InputError(f"The sound of {video} cannot be decoded (ffmpeg: {lines[-1]}); {REMEDY}.")
    return os.fstat(samples_file.fileno()).st_size // 2


def write_audio(samples: np.ndarray, state: str, path: Path, provenance: dict) -> None:
    """Write int16 samples [N] as FLAC, with state and provenance in its comment; N is at least 1."""
    with replacing(path) as temporary:
        with soundfile.SoundFile(temporary, "w", SAMPLE_RATE, 1, "PCM_16", format="FLAC") as flac:
            flac.comment = json.dumps({"state": state, "made_by": provenance}, sort_keys=True)
            for start in range(0, len(samples), BLOCK_SAMPLES):
                flac.write(samples[start : start + BLOCK_SAMPLES])


def read_audio(path: Path) -> tuple[np.ndarray, str]:
    """Read samples, float32 [N] in [-1, 1), and state: `sound`, `silent` (all zero) or `no_audio`.

    Raises InputError for a file that is cut off, no FLAC, or not this project's.
    """
    try:
        with soundfile.SoundFile(path) as flac:
            samples, comment = flac.read(dtype="float32"), flac.comment
            whole = len(samples) == flac.frames
    except soundfile.LibsndfileError as error:
        raise InputError(
            f"{path} cannot be read ({error.error_string}); delete it and run the workflow again."
        ) from error
    if not whole or not comment:
        raise InputError(f"{path} is cut off or foreign; delete it and run the workflow again.")
    return samples, json.loads(comment)["state"]
