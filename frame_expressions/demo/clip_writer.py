"""Video files from frames and samples, through ffmpeg; the same input gives the same bytes."""

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
    # MP3's encoder delay would push the frames off their times, since AVI holds no time stamps.
    ".avi": {"format": "avi", "vcodec": "mpeg4", "q:v": 3, "acodec": "pcm_s16le"},
}


def write_video(
    path: Path,
    frames: Iterable[np.ndarray],
    fps: Fraction,
    size_px: tuple[int, int],
    samples: np.ndarray | None,
    sample_rate: int,
    sound_start_s: float = 0.0,
) -> None:
    """Encode one video.

    path: ends in .mp4 (H.264, AAC) or .avi (MPEG-4, PCM); frames: [H, W, 3] uint8 RGB each; size_px: width and
    height, both even; samples: [N] float32 within -1..1 or None for no sound; sound_start_s: the time of the first
    sample. Raises RuntimeError with ffmpeg's words when it fails.
    """
    picture = ffmpeg.input("pipe:", format="rawvideo", pix_fmt="rgb24", video_size=size_px, framerate=str(fps))
    with tempfile.TemporaryDirectory() as folder, atomic_write(path) as temporary:
        streams = [picture]
        if samples is not None:
            wav = Path(folder) / "sound.wav"
            soundfile.write(wav, samples, sample_rate, subtype="PCM_16")
            streams.append(ffmpeg.input(str(wav), itsoffset=sound_start_s))
        settings = _CODECS[path.suffix] | {"pix_fmt": "yuv420p", "threads": 1, "fps_mode": "passthrough"}
        if samples is None:
            settings.pop("acodec")
        exact = {"fflags": "+bitexact", "flags:v": "+bitexact", "flags:a": "+bitexact", "map_metadata": -1}
        output = ffmpeg.output(*streams, str(temporary), **settings, **exact).global_args(
            "-nostdin", "-loglevel", "error", "-filter_threads", "1"
        )
        command = ffmpeg.compile(output, cmd=imageio_ffmpeg.get_ffmpeg_exe(), overwrite_output=True)
        with (Path(folder) / "words").open("w+") as words:
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=words)
            try:
                for frame in frames:
                    process.stdin.write(np.ascontiguousarray(frame))
                process.stdin.close()
            except BrokenPipeError:
                pass  # ffmpeg has ended; its exit status and its words follow
            if process.wait() != 0:
                words.seek(0)
                raise RuntimeError(f"ffmpeg could not write {path.name}: " + "; ".join(words.read().splitlines()))
