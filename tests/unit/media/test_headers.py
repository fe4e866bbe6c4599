"""What a video says of itself."""

import csv
import subprocess

import av
import imageio_ffmpeg
import pytest

from frame_expressions.media.headers import Header, count_packets, read_header
from frame_expressions.media.video import read_video
from frame_expressions.runtime.errors import InputError
from tests.media import make_flash_and_beep, make_video

FRAMES = list(range(0, 80, 4))  # 20 frames


def test_frames_and_audio(tmp_path):
    silent = make_video(tmp_path / "a.mp4", FRAMES)
    assert read_header(silent) == Header(20, (), may_jump=False) and count_packets(silent) == 20
    make_flash_and_beep(tmp_path / "b.avi", 25, ["-c:v", "mpeg4", "-c:a", "pcm_s16le"])
    assert read_header(tmp_path / "b.avi") == Header(50, ("0",), may_jump=False)


def test_a_container_that_does_not_say_is_counted_by_its_packets(tmp_path):
    path = make_video(tmp_path / "a.mkv", FRAMES)
    assert read_header(path).num_frames == 0 and count_packets(path) == 20


def test_empty_packets_are_no_frames(tmp_path):
    """AVI repeats a frame with a packet of no bytes, and its header counts it."""
    path = tmp_path / "a.avi"
    some = ["-vf", "select='not(between(t,0.5,0.9))'", "-fps_mode", "vfr", "-c:v", "mjpeg", "-c:a", "pcm_s16le"]
    make_flash_and_beep(path, 25, some)
    with av.open(str(path)) as opened:
        assert opened.streams.video[0].frames == 50
    assert read_header(path).num_frames == 0 and count_packets(path) == len(list(read_video(path))) == 40


def test_a_file_that_ends_too_early_is_not_believed(tmp_path):
    whole = make_video(tmp_path / "a.mp4", FRAMES)
    first = tmp_path / "first.mp4"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-i", str(whole), "-c", "copy"]
    subprocess.run([*command, "-movflags", "+faststart", str(first)], check=True)  # the header precedes the frames
    assert read_header(first).num_frames == 20
    first.write_bytes(first.read_bytes()[:-200])
    assert read_header(first).num_frames == 0
    assert 0 < count_packets(first) < 20


@pytest.mark.parametrize("content", [b"", b"not a video", b"\x00\x00\x00\x18ftypmp42"])
def test_what_is_no_video_is_refused(tmp_path, content):
    (tmp_path / "a.mp4").write_bytes(content)
    for read in (read_header, count_packets):
        with pytest.raises(InputError, match=r"a\.mp4 cannot be opened as a video"):
            read(tmp_path / "a.mp4")


def test_audio_alone_is_not_a_video(tmp_path):
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-f", "lavfi", "-i", "sine=d=0.2"]
    subprocess.run([*command, str(tmp_path / "a.mp4")], check=True)
    with pytest.raises(InputError, match=r"a\.mp4 has no video stream"):
        read_header(tmp_path / "a.mp4")


def test_real_files(shared):
    with (shared / "MANIFEST.csv").open(newline="") as handle:
        rows = {row["file"]: row for row in csv.DictReader(handle) if row["frames_decoded"]}
    # Frames of a damaged file that do not decode; a raw stream with more packets than frames.
    odd = {"media/codecs/corrupted.mp4", "media/names/teststream.ffm"}
    assert len(rows) > 25
    for name, row in rows.items():
        counted = count_packets(shared / name)
        assert counted >= int(row["frames_decoded"])
        assert counted == int(row["frames_decoded"]) or name in odd
        assert read_header(shared / name).num_frames in {0, int(row["frames_declared"] or 0)}
        assert bool(read_header(shared / name).audio) == bool(row["acodec"])
