"""Every kind of broken or odd video through every stage: taken or refused in a sentence, and nothing else."""

import re
import struct
import subprocess
from fractions import Fraction

import av
import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image

from frame_expressions.artifacts.parquet import read_parquet, read_provenance
from tests.media import H264, make_video
from tests.survival.mutations import survive


def ffmpeg(path, *options, video="testsrc2=s=64x48:r=25:d=2", audio="sine=600:d=2"):
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-loglevel", "error", "-f", "lavfi", "-i", video]
    subprocess.run([*command, "-f", "lavfi", "-i", audio, *options, str(path)], check=True)
    return path


def whole(path, *options):
    return ffmpeg(path, *H264, "-pix_fmt", "yuv420p", "-c:a", "aac", *options)


def boxes(content):
    """The boxes at the top of an MP4, by their kind."""
    found, position = {}, 0
    while position < len(content):
        (size,) = struct.unpack(">I", content[position : position + 4])
        found[content[position + 4 : position + 8]] = content[position : position + size]
        position += size
    return found


def cut_in_half(path):
    content = whole(path, "-movflags", "+faststart").read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])


def zero_bytes(path):
    path.touch()


def header_only(path):
    found = boxes(whole(path, "-movflags", "+faststart").read_bytes())
    path.write_bytes(found[b"ftyp"] + found[b"moov"])


def no_index(path):
    found = boxes(whole(path).read_bytes())
    path.write_bytes(found[b"ftyp"] + found[b"mdat"])


def audio_only(path):
    ffmpeg(path, "-map", "1:a", "-c:a", "aac")


def one_frame(path):
    whole(path, "-frames:v", "1")


def another_extension(path):
    whole(path.with_suffix(".mkv")).rename(path)


def stamps_out_of_order(path):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(10):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 20 * number, np.uint8), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode(None):
            packet.pts += 512 * 3 * (packet.pts // 512 % 3)
            container.mux(packet)


def ten_hours_declared(path):
    content = bytearray(whole(path).read_bytes())
    for kind in (b"mvhd", b"mdhd"):
        at = content.index(kind) + 16
        (per_s,) = struct.unpack(">I", content[at : at + 4])
        content[at + 4 : at + 8] = struct.pack(">I", per_s * 36_000)
    path.write_bytes(content)


def _frames_declared(path, side):
    content = make_video(path.with_suffix(".mkv"), [0, 4], codec="ffv1", size=(256, 256)).read_bytes()
    size = b"\xb0\x82\x01\x00\xba\x82\x01\x00"  # Matroska's PixelWidth and PixelHeight
    assert content.count(size) == 1
    path.write_bytes(content.replace(size, b"\xb0\x82" + side + b"\xba\x82" + side))


def huge_frames_declared(path):
    _frames_declared(path, b"\x40\x00")


def large_frames_declared(path):
    _frames_declared(path, b"\x20\x00")


def one_pixel(path):
    make_video(path.with_suffix(".mkv"), [0, 4, 8], codec="ffv1", size=(1, 1)).rename(path)


def a_thousand_frames_a_second(path):
    ffmpeg(path, *H264, "-pix_fmt", "yuv420p", "-c:a", "aac", video="testsrc2=s=64x48:r=1000:d=0.2")


def an_image(kind):
    def write(path):
        Image.new("RGB", (64, 48)).save(path, kind)

    write.__name__ = kind
    return write


def a_folder(path):
    path.mkdir()


def a_dangling_link(path):
    path.symlink_to(path.with_name("nowhere.mp4"))


def a_year_between_frames(path):
    make_video(path.with_suffix(".mkv"), [0, 4, 365 * 24 * 3600 * 100]).rename(path)


KINDS = [
    (cut_in_half, "", range(10, 50)),
    (zero_bytes, "cannot be opened as a video", [0]),
    (header_only, "has no frame that can be decoded", [0]),
    (no_index, "cannot be opened as a video", [0]),
    (audio_only, "has no video stream", [0]),
    (one_frame, "", [1]),
    (another_extension, "", [50]),
    (stamps_out_of_order, "", [10]),
    (ten_hours_declared, "", [50]),
    (huge_frames_declared, "has no frame that can be decoded", [0]),  # 16384 x 16384 is beyond FFmpeg itself
    (large_frames_declared, "has frames of 8192 x 8192 pixels", [0]),
    (one_pixel, "", [3]),
    (a_thousand_frames_a_second, "", [200]),
    (an_image("PNG"), "is not a video by its content", [0]),
    (an_image("JPEG"), "is not a video by its content", [0]),
    (a_folder, "is missing or is not a file", [0]),
    (a_dangling_link, "is missing or is not a file", [0]),
    (a_year_between_frames, "has a frame at 31536000 s", [0]),
]


@pytest.mark.parametrize(("make", "reason", "num_frames"), KINDS, ids=lambda value: getattr(value, "__name__", ""))
def test_a_kind_of_video(tmp_path, make, reason, num_frames):
    video, folder = tmp_path / "v.mp4", tmp_path / "made"
    make(video)
    outcome = survive(video, folder)
    assert outcome.failures == {} and outcome.accepted == (not reason)
    assert len(read_parquet(folder / "timeline.parquet")) in num_frames
    skipped = read_provenance(folder / "timeline.parquet")["settings"].get("skipped", "")
    assert re.match(f"v.mp4 {reason}", skipped) if reason else not skipped
