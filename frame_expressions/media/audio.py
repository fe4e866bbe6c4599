"""The artifact that stores a video's audio, and the choice of the stream that it comes from.

Samples are 16 kHz mono; sample 0 is at the presentation time of the first frame.
"""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import soundfile

from frame_expressions.artifacts.atomic import atomic_write
from frame_expressions.artifacts.vocabulary import AUDIBLE, NO_AUDIO, SILENT
from frame_expressions.media.audio_alignment import Recording, align
from frame_expressions.media.audio_decoder import SAMPLE_RATE, decode_blocks
from frame_expressions.media.audio_streams import AudioStream, audio_streams, by_preference
from frame_expressions.media.child_process import decode_in_child
from frame_expressions.media.clock import Clock
from frame_expressions.media.container import REMEDY, open_media
from frame_expressions.media.limits import Limits
from frame_expressions.media.timeline import duration_s
from frame_expressions.runtime.errors import InputError, MediaError, unreadable

BLOCK_SAMPLES = 1 << 20
BEYOND_S = 1.0  # of audio after the last frame that are decoded, to say that it goes on


class UndecodableAudio(MediaError):
    """Audio of which nothing decodes; the video is used without it."""


@dataclass(frozen=True)
class AudioSettings:
    """The block `audio` of the configuration.

    stream: which audio stream of a video is used. `auto`: the one that the file marks as the default, unless it is
    silent; else the first that is not. Otherwise its number among the audio streams, from 0, its language or its title.
    half_width_s: seconds of audio before and after the centre of a frame's window.
    window_centre: `middle` (of the time that the frame is on screen) or `start` (its time stamp).
    silence: `missing` (a frame whose window holds no sound has no audio feature) or `encoded` (every frame of a video
    with audio has one: silence is encoded, and before and after the recording the nearest hidden step serves).
    """

    stream: int | str
    half_width_s: float
    window_centre: str
    silence: str


def aligned_audio(
    video: Path,
    time_s: np.ndarray,
    clock: Clock,
    start_s: float,
    stream: int | str,
    limits: Limits,
    last_s: float | None = None,
) -> tuple[np.ndarray, str, tuple[int, int]]:
    """A video's audio, int16 [N], from its first frame to the end of its last, and its state, one of AUDIO_STATES.

    And the first and the end of the samples that were recorded; the others are silence before and after.

    time_s: the timeline [T], T >= 1. clock, start_s: of the timeline, see `timeline.read_start`. stream: see
    AudioSettings. last_s: length of the last frame, see `timeline.read_last_s`. Earlier audio is cut. Silence fills the
    time before audio that starts later, gaps, and, with a warning, parts that do not decode. Raises UndecodableAudio if
    no decoder knows the format or nothing of it decodes, and MediaError if the stream is not there, or if the decoder
    exceeds `limits` or crashes.
    """
    num_samples = aligned_length(time_s, last_s)
    with open_media(video) as container:
        streams = audio_streams(container)
    silent: list[tuple[np.ndarray, tuple[int, int]]] = []
    failures: list[UndecodableAudio] = []
    for candidate in by_preference(streams, stream, video):
        try:
            samples, recorded = _decode(video, candidate, clock, start_s + candidate.delay_s, num_samples, limits)
        except UndecodableAudio as error:
            failures.append(error)
            continue
        if samples.any():
            for failure in failures:
                logging.warning("%s", failure)
            _log_choice(candidate, streams)
            return samples, AUDIBLE, recorded
        silent.append((samples, recorded))
    if not silent and failures:
        raise failures[0]
    if not silent:
        return no_audio(time_s, last_s)
    samples, recorded = silent[0]
    return samples, SILENT, recorded


def _log_choice(chosen: AudioStream, streams: list[AudioStream]) -> None:
    others = ", ".join(str(stream) for stream in streams if stream != chosen)
    if others:
        logging.info(
            "audio stream %s is used; the file also has %s (the setting audio.stream chooses another)", chosen, others
        )


def _decode(
    video: Path, stream: AudioStream, clock: Clock, start_s: float, num_samples: int, limits: Limits
) -> tuple[np.ndarray, tuple[int, int]]:
    """The aligned samples of one stream, int16 [N], and the first and the end of those that were recorded."""
    if stream.fault:
        raise UndecodableAudio(f"{_left_out(video)}: {stream.fault}", REMEDY)
    blocks = partial(decode_blocks, video, stream.index, clock, start_s + num_samples / SAMPLE_RATE + BEYOND_S)
    with Recording() as recording:
        for block in decode_in_child(blocks, video, limits):
            recording.add(block)
        num_failed, error = recording.failures
        if recording.num_samples == 0:
            raise UndecodableAudio(f"{_left_out(video)}: none of it can be decoded", REMEDY, error)
        if num_failed:
            logging.warning("The audio of %s is damaged (ffmpeg: %s): silence replaces the damaged parts", video, error)
        if recording.num_cancelled:
            logging.warning(
                "The two channels of %s cancel each other in %d s of the audio: the louder one replaces their mean",
                video,
                recording.num_cancelled,
            )
        return align(recording, start_s, num_samples)


def no_audio(time_s: np.ndarray, last_s: float | None = None) -> tuple[np.ndarray, str, tuple[int, int]]:
    """What `aligned_audio` returns for a video without audio; FLAC cannot be empty, so no timeline gives one sample."""
    return np.zeros(aligned_length(time_s, last_s), np.int16), NO_AUDIO, (0, 0)


def aligned_length(time_s: np.ndarray, last_s: float | None = None) -> int:
    """Number of samples of the audio that belongs to a timeline [T], at least 1."""
    return max(1, round(duration_s(time_s, last_s) * SAMPLE_RATE))


def _left_out(video: Path) -> str:
    return f"The audio of {video} is left out"


def write_audio(
    samples: np.ndarray, state: str, path: Path, provenance: dict, recorded: tuple[int, int] | None = None
) -> None:
    """Write int16 samples [N], N >= 1, as FLAC, with state and provenance in its comment.

    recorded: first and end of the samples that were recorded, see `aligned_audio`; all of them by default.
    """
    comment = {"state": state, "recorded": recorded or (0, len(samples)), "provenance": provenance}
    with atomic_write(path) as temporary:
        with soundfile.SoundFile(temporary, "w", SAMPLE_RATE, 1, "PCM_16", format="FLAC") as flac:
            flac.comment = json.dumps(comment, sort_keys=True)
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


def read_recorded(path: Path) -> tuple[int, int]:
    """The first and the end of the recorded samples, read without decoding one, see `aligned_audio`.

    Raises InputError if the file does not state them.
    """
    with open_audio(path) as flac:
        try:
            first, end = json.loads(flac.comment)["recorded"]
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{path} does not state which of its samples were recorded", "delete it and run the workflow again"
            ) from error
    return first, end


def read_audio_provenance(path: Path) -> dict:
    """The provenance entry, read without decoding a sample; raises InputError if there is none."""
    with open_audio(path) as flac:
        try:
            return json.loads(flac.comment)["provenance"]
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path} has no provenance entry", "delete it and run the workflow again") from error
