"""Write video files from frames and audio samples with ffmpeg; the same input gives the same bytes."""

import subprocess
import tempfile
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import ffmpeg
import imageio_ffmpeg
import numpy as np
import soundfile

from frame_expressions.artifacts.atomic import atomic_write

_CODECS = {
    ".mp4": {"format": "mp4", "vcodec": "libx264", "preset": "veryfast", "crf": 21, "acodec": "aac"},
    # Not MP3: AVI has no time stamps, so the delay of an MP3 encoder would shift the frames.
    ".avi": {"format": "avi", "vcodec": "mpeg4", "q:v": 3, "acodec": "pcm_s16le"},
}


def write_video(
    path: Path,
    frames: Iterable[np.ndarray],
    fps: Fraction,
    size_px: tuple[int, int],
    samples: np.ndarray | None,
    sample_rate: int,
    audio_start_s: float = 0.0,
) -> None:
    """Encode one video.

    path: ends in .mp4 (H.264, AAC) or .avi (MPEG-4, PCM).
    frames: [H, W, 3] uint8 RGB each.
    fps: frames per second.
    size_px: width and height, both even.
    samples: audio, [N] float32 within -1..1; None for no audio stream.
    sample_rate: of the audio, in Hz.
    audio_start_s: time of the first sample.

    Raises RuntimeError with ffmpeg's message if ffmpeg fails.
    """
    video = ffmpeg.input("pipe:", format="rawvideo", pix_fmt="rgb24", video_size=size_px, framerate=str(fps))
    with tempfile.TemporaryDirectory() as folder, atomic_write(path) as temporary:
        streams = [video]
        if samples is not None:
            wav = Path(folder) / "audio.wav"
            soundfile.write(wav, samples, sample_rate, subtype="PCM_16")
            streams.append(ffmpeg.input(str(wav), itsoffset=audio_start_s))
        settings = _CODECS[path.suffix] | {"pix_fmt": "yuv420p", "threads": 1, "fps_mode": "passthrough"}
        if samples is None:
            settings.pop("acodec")
        exact = {"fflags": "+bitexact", "flags:v": "+bitexact", "flags:a": "+bitexact", "map_metadata": -1}
        output = ffmpeg.output(*streams, str(temporary), **settings, **exact).global_args(
            "-nostdin", "-loglevel", "error", "-filter_threads", "1"
        )
        command = ffmpeg.compile(output, cmd=imageio_ffmpeg.get_ffmpeg_exe(), overwrite_output=True)
        with (Path(folder) / "messages").open("w+") as messages:
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=messages)
            try:
                for frame in frames:
                    process.stdin.write(np.ascontiguousarray(frame))
                process.stdin.close()
            except BrokenPipeError:
                pass  # ffmpeg has ended; its exit status and messages are read below
            if process.wait() != 0:
                messages.seek(0)
                raise RuntimeError(f"ffmpeg could not write {path.name}: " + "; ".join(messages.read().splitlines()))
