"""The last frame lasts as long as its container says, where the container knows it."""

import struct
import subprocess
from fractions import Fraction

import av
import imageio_ffmpeg
import numpy as np
import pytest

from frame_expressions.media.audio import SAMPLE_RATE, aligned_length
from frame_expressions.media.limits import Limits
from frame_expressions.media.timeline import ROUNDING_S, duration_s
from frame_expressions.media.video import read_video
from tests.media import H264, LIMITS, make_flash_and_beep, make_video, read_aligned

HELD = "setts=pts=PTS:dts=DTS:duration='if(eq(N,49),DURATION*50,DURATION)'"  # the last of 50 samples lasts 2 s


def make_held(path, lengths=(4,) * 24 + (200,), codec="libx264", audio_s=None, **options):
    """A frame for each length, in 1/100 s; without B-frames, so each sample's duration is that of its frame."""
    noise = np.random.default_rng(0)
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream(codec, rate=25, options={"bf": "0"} if codec == "libx264" else {})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base = stream.time_base = Fraction(1, 100)
        audio = container.add_stream("aac", rate=16000, layout="mono") if audio_s else None
        starts = np.cumsum([0, *lengths[:-1]]).tolist()
        length_of = dict(zip(starts, lengths, strict=True))

        def mux(packets):
            for packet in packets:
                packet.duration = length_of[packet.pts]
                container.mux(packet)

        for start in starts:
            frame = av.VideoFrame.from_ndarray(noise.integers(0, 255, (48, 64, 3), np.uint8), format="rgb24")
            frame.pts, frame.time_base = start, Fraction(1, 100)
            mux(stream.encode(frame))
        mux(stream.encode(None))
        if audio:
            tone = 0.3 * np.sin(np.arange(round(16000 * audio_s)) / 16000 * 2 * np.pi * 440)
            for start in range(0, len(tone), 1024):
                block = tone[None, start : start + 1024].astype(np.float32)
                frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="mono")
                frame.sample_rate, frame.pts, frame.time_base = 16000, start, Fraction(1, 16000)
                container.mux(audio.encode(frame))
            container.mux(audio.encode(None))
    return path


def length_of(path, limits=None):
    """The length of a file's frames and of its audio, in s."""
    frames = list(read_video(path, limits))
    time_s, samples, _ = read_aligned(path)
    length_s = duration_s(time_s, frames[-1].length_s)
    assert len(samples) == round(length_s * SAMPLE_RATE)
    return length_s


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("v.mp4", "libx264", {}),
        ("v.mov", "mpeg4", {}),
        ("v.mp4", "libx264", {"movflags": "frag_keyframe+empty_moov+default_base_moof"}),
        ("v.mp4", "libx264", {"use_editlist": "0"}),
        ("v.mkv", "libx264", {}),
        ("v.webm", "libvpx", {}),
    ],
)
@pytest.mark.parametrize("lengths", [(4,) * 24 + (204,), (200, 200, 50), (150,)])
def test_the_last_frame_lasts_as_its_container_says(tmp_path, name, codec, options, lengths):
    path = make_held(tmp_path / name, lengths, codec, **options)
    assert length_of(path) == pytest.approx(sum(lengths) / 100, abs=1e-3)


@pytest.mark.parametrize("audio_s", [1.0, 2.5, 4.0])
def test_audio_is_as_long_as_the_frames(tmp_path, audio_s):
    path = make_held(tmp_path / "v.mp4", audio_s=audio_s)
    _, samples, _ = read_aligned(path)
    assert len(samples) / SAMPLE_RATE == pytest.approx(2.96)
    heard = np.flatnonzero(samples)[-1] / SAMPLE_RATE
    assert heard == pytest.approx(min(audio_s, 2.96), abs=0.07)  # an encoder fills its last block


def test_samples_in_another_order_than_the_frames_end_together(tmp_path):
    make_flash_and_beep(tmp_path / "v.mp4", 25, H264)
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-loglevel", "error", "-y", "-i", str(tmp_path / "v.mp4")]
    subprocess.run([*command, "-c", "copy", "-an", "-bsf:v", HELD, str(tmp_path / "held.mp4")], check=True)
    assert length_of(tmp_path / "v.mp4") == pytest.approx(2.0)
    assert length_of(tmp_path / "held.mp4") == pytest.approx(2.0 + 49 * 0.04)


@pytest.mark.parametrize("name", ["v.ts", "v.avi", "v.flv", "v.mkv", "v.mp4"])
def test_ordinary_clips_end_as_before(tmp_path, name):
    make_flash_and_beep(tmp_path / name, 30, H264)
    time_s, samples, _ = read_aligned(tmp_path / name)
    assert len(samples) == aligned_length(time_s)


@pytest.mark.parametrize("name", ["v.ts", "v.avi", "v.flv"])
def test_a_guess_from_the_frame_rate_is_not_used(tmp_path, name):
    path = make_video(tmp_path / name, range(0, 100, 4), codec="libx264", rate=25)
    assert [frame.length_s for frame in read_video(path)] == [None] * 25


@pytest.mark.parametrize("box", [b"stts", b"mdhd", b"tkhd", b"mvhd"])
@pytest.mark.parametrize("options", [{}, {"use_editlist": "0"}])
def test_a_length_that_only_a_damaged_header_states_is_not_believed(tmp_path, box, options):
    path = make_held(tmp_path / "v.mp4", lengths=(4,) * 24 + (8,), **options)
    content = bytearray(path.read_bytes())
    start = content.index(box) + 4
    at = {b"stts": start + 20, b"mdhd": start + 16, b"tkhd": start + 20, b"mvhd": start + 16}[box]
    (before,) = struct.unpack_from(">I", content, at)
    assert before > 0
    struct.pack_into(">I", content, at, 0x7F000000)
    path.write_bytes(content)
    assert length_of(path) == pytest.approx(1.04)


def test_a_file_that_breaks_off_does_not_last_as_its_header_says(tmp_path):
    path = make_held(tmp_path / "v.mp4", movflags="faststart")
    content = path.read_bytes()
    path.write_bytes(content[: content.index(b"mdat") + (len(content) - content.index(b"mdat")) // 2])
    frames = list(read_video(path))
    assert 3 < len(frames) < 25
    assert length_of(path) == pytest.approx(0.04 * len(frames))


def test_the_limit_on_a_videos_length_holds_for_its_last_frame(tmp_path):
    path = make_held(tmp_path / "v.mp4", lengths=(4,) * 24 + (200_000,))
    assert length_of(path) == pytest.approx(2000.96)
    frames = list(read_video(path, Limits(**LIMITS | {"video_s": 1000})))
    assert frames[-1].length_s is None


def test_rounding_of_the_last_length_changes_nothing():
    time_s = np.arange(25) * 1001 / 30000
    assert duration_s(time_s, 0.033) == duration_s(time_s) != duration_s(time_s, 0.033 - ROUNDING_S)
    assert duration_s(time_s, 2.0) == pytest.approx(24 * 1001 / 30000 + 2)
