"""Interlaced frames lose their comb, keep their number and time, and nothing else changes."""

import subprocess

import imageio_ffmpeg
import numpy as np
import pytest
from av.video.reformatter import ColorRange

from frame_expressions.media.deinterlacing import deinterlaced
from frame_expressions.media.video import read_video
from tests.media import times_of

SIZE = (160, 128)
NUM_FRAMES = 10


def scene(field):
    """A detailed background, and a bright square that moves by 5 px from field to field."""
    y, x = np.mgrid[: SIZE[1], : SIZE[0]]
    image = np.where((y // 2 % 2 == 0) & (x > 120), 90, 50)[..., None].repeat(3, 2)
    left = 4 + 5 * field
    image[40:90, left : left + 24] = (220, 180, 150)
    return image.astype(np.uint8)


def woven(number, order):
    """Frame `number`, from 0: the fields 2 k and 2 k + 1, or the same field twice for order `psf`."""
    first, second = scene(2 * number), scene(2 * number + (order != "psf"))
    image = second.copy()
    start = 1 if order == "bff" else 0
    image[start::2] = first[start::2]
    return image


def make(path, order, codec, num_frames=NUM_FRAMES):
    """Frames of two fields, flagged as interlaced."""
    raw = b"".join(woven(number, order).tobytes() for number in range(num_frames))
    top = int(order != "bff")
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-loglevel", "error", "-y"]
    command += ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "160x128", "-r", "30000/1001", "-i", "-"]
    command += ["-vf", f"scale=interl=1,setfield={'tff' if top else 'bff'},format=yuv420p", "-flags", "+ildct+ilme"]
    command += [*codec, *(["-x264-params", "tff=1" if top else "bff=1"] if "libx264" in codec else []), str(path)]
    subprocess.run(command, input=raw, check=True)
    return path


X264 = ["-c:v", "libx264", "-crf", "12", "-preset", "veryfast"]
MPEG2 = ["-c:v", "mpeg2video", "-q:v", "2", "-bf", "2"]


def comb(rgb):
    """Mean difference of lines from those around them, where the square moves."""
    grey = rgb[44:86, :118].mean(axis=2)
    return np.abs(grey[1:-1] - (grey[:-2] + grey[2:]) / 2).mean()


@pytest.mark.parametrize("order", ["tff", "bff"])
@pytest.mark.parametrize(("name", "codec"), [("v.mp4", X264), ("v.ts", MPEG2), ("v.mkv", MPEG2)])
def test_a_frame_is_its_first_field(tmp_path, name, codec, order):
    frames = list(read_video(make(tmp_path / name, order, codec)))
    assert [frame.number for frame in frames] == list(range(1, NUM_FRAMES + 1))
    assert times_of(frames) == pytest.approx(np.arange(NUM_FRAMES) * 1001 / 30000, abs=1e-3)
    for number, frame in enumerate(frames):
        stored = frame.av_frame.to_ndarray(format="rgb24", threads=1)
        wanted = scene(2 * number).astype(int)
        assert frame.av_frame.interlaced_frame
        assert comb(stored) > 3 and comb(frame.rgb) < 0.2 * comb(stored), number
        errors = [np.abs(rgb.astype(int) - wanted)[44:86, :118].mean() for rgb in (frame.rgb, stored)]
        assert errors[0] < 0.6 * errors[1], number
        detail = frame.rgb[50:80, 130:150].mean(axis=2)
        if 0 < number < NUM_FRAMES - 1:  # the ends have no second neighbour to tell what moves
            assert detail.std() > 0.8 * wanted[50:80, 130:150].mean(axis=2).std(), number
        assert comb(frame.thumbnail(160)) < 0.2 * comb(stored)


def test_progressive_frames_that_are_flagged_lose_little(tmp_path):
    for number, frame in enumerate(read_video(make(tmp_path / "v.mp4", "psf", X264))):
        wanted = scene(2 * number).astype(int)
        assert np.abs(frame.rgb.astype(int) - wanted).mean() < 4


def test_frames_that_are_not_flagged_are_not_touched(tmp_path):
    path = make(tmp_path / "v.mp4", "tff", ["-c:v", "libx264", "-flags", "-ildct-ilme", "-vf", "setfield=prog"])
    raw = list(read_video(path))
    for frame in raw:
        if not frame.av_frame.interlaced_frame:
            assert frame.neighbours is None
            assert np.array_equal(frame.rgb, frame.av_frame.to_ndarray(format="rgb24", threads=1))


def test_a_single_frame_and_a_stream_that_breaks_off(tmp_path):
    (only,) = read_video(make(tmp_path / "v.ts", "tff", MPEG2, num_frames=1))
    assert comb(only.rgb) < 1
    path = make(tmp_path / "v.mkv", "tff", MPEG2)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    frames = list(read_video(path))
    assert 1 < len(frames) < NUM_FRAMES and all(frame.rgb.shape == (128, 160, 3) for frame in frames)


def test_neighbours_of_another_size_or_format_are_left_out(tmp_path):
    frames = [frame.av_frame for frame in read_video(make(tmp_path / "v.ts", "tff", MPEG2, num_frames=3))]
    small = frames[0].reformat(width=80, height=64)
    other = frames[2].reformat(format="yuv422p")
    alone = deinterlaced(frames[1], None, None).to_ndarray()
    stamps = [frame.pts for frame in frames]
    assert np.array_equal(deinterlaced(frames[1], small, other).to_ndarray(), alone)
    between = deinterlaced(frames[1], frames[0], frames[2])
    assert not np.array_equal(between.to_ndarray(), alone) and between.format.name == frames[1].format.name
    assert [frame.pts for frame in frames] == stamps


def test_colour_tags_survive(tmp_path):
    frame = next(read_video(make(tmp_path / "v.ts", "tff", MPEG2))).av_frame
    frame.color_range, frame.colorspace, frame.color_trc = ColorRange.JPEG, 1, 18
    made = deinterlaced(frame, None, None)
    assert (made.color_range, made.colorspace, made.color_trc) == (2, 1, 18)


@pytest.mark.parametrize("name", ["yuyv422", "rgb24", "nv12", "yuv422p10le"])
def test_formats_that_the_filter_does_not_know_are_converted(tmp_path, name):
    frames = [frame.av_frame for frame in read_video(make(tmp_path / "v.ts", "tff", MPEG2, num_frames=3))]
    converted = [frame.reformat(format=name) for frame in frames]
    assert comb(deinterlaced(converted[1], converted[0], converted[2]).to_ndarray(format="rgb24")) < 1.5
