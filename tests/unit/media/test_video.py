"""The video reader, on clips made here and on real ones."""

import csv
import gc
from fractions import Fraction

import av
import numpy as np
import pytest

from frame_expressions.media.timeline import duration_s
from frame_expressions.media.video import read_frames, read_video, upright
from frame_expressions.runtime.errors import InputError
from tests.media import make_flash_and_beep, make_video, times_of


def brightness(frames):
    return [round((frame.rgb.mean() - 20) / 8) for frame in frames]


def test_a_variable_frame_rate_keeps_every_frame_and_its_time(tmp_path):
    stamps = [150, 154, 158, 180, 230, 231]
    frames = list(read_video(make_video(tmp_path / "v.mkv", stamps)))
    assert [frame.number for frame in frames] == [1, 2, 3, 4, 5, 6]
    assert times_of(frames) == pytest.approx([0, 0.04, 0.08, 0.3, 0.8, 0.81])
    assert [frame.stamp_s for frame in frames] == pytest.approx([stamp / 100 for stamp in stamps])
    assert brightness(frames) == [0, 1, 2, 3, 4, 5]
    assert all(frame.decoded for frame in frames)


@pytest.mark.parametrize("name", ["b.mp4", "b.mkv", "b.avi", "b.ts"])
def test_frames_stored_out_of_order_are_read_in_display_order(tmp_path, name):
    path = make_video(tmp_path / name, range(0, 80, 4), codec="libx264", options={"bf": "3", "b_strategy": "0"})
    frames = list(read_video(path))
    assert brightness(frames) == list(range(20))
    assert times_of(frames) == pytest.approx(np.arange(20) * 0.04, abs=1e-3)


def test_the_last_frames_of_an_uneven_avi_continue_the_last_step(tmp_path):
    """AVI has no times for as many frames at its end as the decoder held back at its beginning."""
    stamps = [0, 4, 8, 20, 24, 28, 40, 50, 60, 70, 80, 90]
    options = {"bf": "3", "b_strategy": "0"}
    frames = list(read_video(make_video(tmp_path / "v.avi", stamps, codec="libx264", rate=100, options=options)))
    assert times_of(frames) == pytest.approx([stamp / 100 for stamp in stamps], abs=1e-3)


@pytest.mark.parametrize(("codec", "hz"), [("libmp3lame", 48000), ("libmp3lame", 22050), ("aac", 48000)])
@pytest.mark.parametrize("rate", [15, 25, 30])
def test_the_hold_of_the_first_frame_that_ffmpeg_adds_to_avi_is_undone(tmp_path, codec, hz, rate):
    make_flash_and_beep(tmp_path / "v.avi", rate, ["-c:v", "mpeg4", "-c:a", codec], hz=hz)
    assert times_in_ticks(tmp_path / "v.avi", rate) == list(range(2 * rate))
    content = (tmp_path / "v.avi").read_bytes()
    (tmp_path / "v.avi").write_bytes(content.replace(b"Lavf", b"Mine"))  # another program's frames keep their times
    held = 2 if rate > 15 and hz == 22050 else 1
    assert times_in_ticks(tmp_path / "v.avi", rate) == [0, *range(1 + held, 2 * rate + held)]


def test_a_first_frame_that_is_held_for_longer_keeps_its_time(tmp_path):
    codecs = ["-c:v", "mpeg4", "-c:a", "libmp3lame", "-vf", "select='not(between(n,1,4))'", "-fps_mode", "passthrough"]
    make_flash_and_beep(tmp_path / "v.avi", 25, codecs)
    assert times_in_ticks(tmp_path / "v.avi", 25)[:3] == [0, 6, 7]


def times_in_ticks(path, rate):
    return [round(time_s * rate, 3) for time_s in times_of(read_video(path))]


def test_a_frame_is_freed_as_soon_as_the_next_one_is_read(tmp_path):
    path = make_video(tmp_path / "v.mp4", range(25), codec="libx264", rate=30)
    gc.collect()
    gc.disable()
    try:
        alive = [sum(isinstance(thing, av.VideoFrame) for thing in gc.get_objects()) for _ in read_video(path)]
    finally:
        gc.enable()
    assert len(alive) == 25 and max(alive) <= 5


def test_a_stream_without_time_stamps_runs_at_its_own_rate(tmp_path):
    options = {"x264-params": "force-cfr=1:fps=30"}
    path = make_video(tmp_path / "v.h264", range(0, 30, 3), codec="libx264", rate=30, options=options)
    frames = list(read_video(path))
    steps = np.diff(times_of(frames))
    assert len(frames) == 10
    assert steps == pytest.approx(np.full(9, steps[0])) and steps[0] > 0


# The stored frame has rows [1 2 3] and [4 5 6]; matrices are those of libavutil/display.h.
@pytest.mark.parametrize(
    ("display", "wanted"),
    [
        ([[1, 0], [0, 1]], [[1, 2, 3], [4, 5, 6]]),
        ([[0, 1], [-1, 0]], [[4, 1], [5, 2], [6, 3]]),  # a quarter turn clockwise
        ([[0, -1], [1, 0]], [[3, 6], [2, 5], [1, 4]]),  # counterclockwise
        ([[-1, 0], [0, -1]], [[6, 5, 4], [3, 2, 1]]),
        ([[-1, 0], [0, 1]], [[3, 2, 1], [6, 5, 4]]),  # mirrored left to right
        ([[0, 1], [1, 0]], [[1, 4], [2, 5], [3, 6]]),  # transposed
    ],
)
def test_upright(display, wanted):
    stored = np.repeat(np.array([[1, 2, 3], [4, 5, 6]], np.uint8)[..., None], 3, axis=2)
    turned = upright(stored, np.array(display))
    assert turned[..., 0].tolist() == wanted and turned.flags.c_contiguous


def test_rotation_metadata_is_applied_once(tmp_path):
    source = make_video(tmp_path / "v.mp4", range(0, 12, 4), draw=top_left_red)
    with av.open(str(source)) as before, av.open(str(tmp_path / "turned.mp4"), "w") as after:
        stream = after.add_stream_from_template(before.streams.video[0])
        stream.set_display_rotation(-90)  # counterclockwise by -90: clockwise
        for packet in before.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                after.mux(packet)
    frame = next(read_video(tmp_path / "turned.mp4"))
    assert frame.rgb.shape == (64, 48, 3) and (frame.width_px, frame.height_px) == (48, 64)
    assert red_corner(frame.rgb) == red_corner(frame.thumbnail(32)) == "top right"
    assert red_corner(next(read_video(source)).rgb) == "top left"


def top_left_red(number):
    image = np.zeros((48, 64, 3), np.uint8)
    image[:24, :32, 0] = 200
    return image


def red_corner(rgb):
    height, width = rgb.shape[0] // 2, rgb.shape[1] // 2
    corners = {
        "top left": rgb[:height, :width],
        "top right": rgb[:height, width:],
        "bottom left": rgb[height:, :width],
        "bottom right": rgb[height:, width:],
    }
    red = [name for name, part in corners.items() if part[..., 0].mean() > 150 and part[..., 2].mean() < 60]
    assert len(red) == 1
    return red[0]


def test_pixels_that_are_not_square_are_made_so(tmp_path):
    path = make_video(tmp_path / "v.mp4", range(0, 12, 4), codec="libx264", pixel_aspect=Fraction(4, 3))
    frame = next(read_video(path))
    assert frame.rgb.shape == (48, 85, 3) and frame.width_px == 85  # 64 * 4 / 3
    assert frame.thumbnail(40).shape == (23, 40, 3) and frame.thumbnail(200).shape == frame.rgb.shape


def test_a_thumbnail_shows_the_mean_of_what_it_covers(tmp_path):
    def draw(number):
        stripes = np.zeros((48, 64, 3), np.uint8)
        stripes[::2] = 200  # a frame that skips pixels would be 0 or 200
        return stripes

    frame = next(read_video(make_video(tmp_path / "v.mkv", [0, 4], codec="ffv1", draw=draw)))
    thumbnail = frame.thumbnail(16)
    assert thumbnail.shape == (12, 16, 3) and np.abs(thumbnail.astype(int) - 100).max() <= 6


def test_a_stream_that_breaks_off_gives_what_decodes(tmp_path, caplog):
    noise = np.random.default_rng(0)
    path = make_video(
        tmp_path / "v.mkv", range(0, 240, 4), draw=lambda _: noise.integers(0, 255, (48, 64, 3), np.uint8)
    )
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    frames = list(read_video(path))
    assert 20 < len(frames) < 40
    assert [frame.number for frame in frames] == list(range(1, len(frames) + 1))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no video at all",
        b"#EXTM3U\n#EXTINF:1,\ncanary.mkv\n#EXT-X-ENDLIST\n",
        b"ffconcat version 1.0\nfile canary.mkv\n",
    ],
)
def test_what_is_no_video_is_refused_and_opens_nothing_else(tmp_path, content):
    make_video(tmp_path / "canary.mkv", range(0, 12, 4))
    path = tmp_path / "v.mp4"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"v\.mp4 .*; replace it"):
        next(read_video(path))


def test_missing_and_foreign_files_are_refused(tmp_path):
    (tmp_path / "link.mp4").symlink_to(tmp_path / "nowhere")
    for path in (tmp_path / "missing.mp4", tmp_path, tmp_path / "link.mp4"):
        with pytest.raises(InputError, match="cannot be opened"):
            next(read_video(path))


def test_a_file_with_only_audio_is_rejected(tmp_path):
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.rate = 8000
        container.mux(stream.encode(frame))
    with pytest.raises(InputError, match="no video stream"):
        next(read_video(tmp_path / "a.mkv"))


@pytest.mark.parametrize("name", ["-i.mkv", "http:x.mkv", "a b'\"[0]%d.mkv", "{video}.mkv", "new\nline.mkv", "é.mkv"])
def test_hostile_names_are_only_names(tmp_path, name):
    assert len(list(read_video(make_video(tmp_path / "v.mkv", [0, 4]).rename(tmp_path / name)))) == 2


def test_a_timeline_is_checked_against_its_video(tmp_path):
    path = make_video(tmp_path / "v.mkv", range(0, 20, 4))
    assert len(list(read_frames(path, 5))) == 5
    assert list(read_frames(tmp_path / "not there", 0)) == []
    for num_frames in (4, 6):
        with pytest.raises(InputError, match="no longer has"):
            list(read_frames(path, num_frames))


def test_a_timeline_ends_one_median_interval_after_its_last_frame():
    assert duration_s(np.array([0.0, 0.1, 0.2, 0.9])) == pytest.approx(1.0)
    assert duration_s(np.array([0.0])) == pytest.approx(0.04)
    assert duration_s(np.array([])) == 0


def test_real_clips_have_the_frames_and_turns_of_their_manifest(shared):
    with (shared / "MANIFEST.csv").open() as handle:
        clips = [row for row in csv.DictReader(handle) if row["frames_decoded"]]
    assert len(clips) >= 20
    for clip in clips:
        frames = list(read_video(shared / clip["file"]))
        assert len(frames) == int(clip["frames_decoded"]), clip["file"]
        assert (np.diff(times_of(frames)) > 0).all(), clip["file"]
        size = (int(clip["width"]), int(clip["height"]))
        wanted = size[::-1] if clip["rotation"] in ("90", "-90") else size
        assert (frames[0].width_px, frames[0].height_px) == wanted, clip["file"]


def test_colours_of_a_tagged_full_range_clip_are_true(shared):
    rgb = next(read_video(shared / "media/codecs/bt709_full_range.mp4")).rgb
    # testsrc2's bars at a third of the height: red, green, yellow, blue, magenta, cyan
    bars = rgb[400, [60, 320, 540, 740, 980, 1200]].astype(int)
    strong = (bars > 150).astype(int).tolist()
    assert strong == [[1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 0, 1], [1, 0, 1], [0, 1, 1]]
