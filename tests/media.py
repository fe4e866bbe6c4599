"""Small media with known content, made for tests."""

import subprocess
from fractions import Fraction

import av
import imageio_ffmpeg
import numpy as np
import yaml

from frame_expressions.media.audio import aligned_audio
from frame_expressions.media.clock_reader import read_clock
from frame_expressions.media.frame_images import FrameSettings
from frame_expressions.media.limits import Limits
from frame_expressions.media.timeline import frame_times
from frame_expressions.media.video import read_video
from tests.conftest import ROOT
from workflow_scripts import extract_frames

LIMITS = yaml.safe_load((ROOT / "config.yaml").read_text())["execution"]["limits"]
H264 = ["-c:v", "libx264", "-preset", "ultrafast", "-bf", "2"]
BEEP_S = 0.05


def times_of(frames):
    """The times of frames from `read_video`."""
    frames = list(frames)
    return frame_times([frame.stamp_s for frame in frames], frames[0].step_s)[0].tolist()


def extract_timeline(video, timeline, on_bad_video="stop"):
    """Write a video's timeline as the workflow does, without images; returns its path."""
    extract_frames.run(
        video=video,
        timeline=timeline,
        frames=timeline.with_name("frames.parquet"),
        settings=FrameSettings(images="none", thumbnail_px=0, jpeg_quality=0),
        on_bad_video=on_bad_video,
        limits=Limits(**LIMITS),
    )
    return timeline


def read_aligned(path, stream="auto"):
    """Times of a file's frames, and its audio and audio state on the same clock."""
    limits = Limits(**LIMITS)
    clock = read_clock(path, limits)
    frames = list(read_video(path, limits, clock))
    time_s, start_s = frame_times([frame.stamp_s for frame in frames], frames[0].step_s)
    samples, state, _ = aligned_audio(path, time_s, clock, start_s, stream, limits, frames[-1].length_s)
    return time_s, np.asarray(samples), state


def make_video(path, stamps, codec="mpeg4", pixel_aspect=None, options=None, rate=25, size=(64, 48), draw=None):
    """Write one frame per time stamp (in 1/100 s): draw(number) from 0, or grey, each brighter than the last."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, options=options or {})
        (stream.width, stream.height), stream.pix_fmt = size, "yuv420p"
        stream.codec_context.time_base = stream.time_base = Fraction(1, 100)
        if pixel_aspect:
            stream.codec_context.sample_aspect_ratio = pixel_aspect
        for number, stamp in enumerate(stamps):
            image = draw(number) if draw else np.full((*size[::-1], 3), 20 + 8 * number, np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = stamp, Fraction(1, 100)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def make_flash_and_beep(path, rate, codecs, start_s=0.0, audio_starts_s=0.0, hz=48000, gap="", options=()):
    """Two seconds of black with one white frame, and a beep from that frame's time on; returns its number."""
    flash = round(1.2 * rate)
    beep_s = flash / rate - audio_starts_s
    image = f"color=black:s=64x48:r={rate}:d=2,drawbox=color=white:t=fill:enable='eq(n,{flash})'"
    audio = f"aevalsrc='0.5*sin(2*PI*1000*t)*between(t,{beep_s},{beep_s + BEEP_S})':s={hz}:d={2 - audio_starts_s}"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-loglevel", "error", "-y"]
    command += ["-itsoffset", f"{start_s}", "-f", "lavfi", "-i", image]
    command += ["-itsoffset", f"{start_s + audio_starts_s}", "-f", "lavfi", "-i", audio + gap]
    subprocess.run([*command, *codecs, *options, str(path)], check=True)
    return flash + 1
