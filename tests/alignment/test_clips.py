"""Frame k of every stage is frame k, in every combination."""

from contextlib import suppress
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from frame_expressions.artifacts.feature_shards import write_shard
from frame_expressions.challenge.alignment import labels_for_frames
from frame_expressions.media.audio_decoder import SAMPLE_RATE
from frame_expressions.media.timeline import read_start
from frame_expressions.media.video import read_frames, read_video
from tests.alignment import beeps, chain, features, numbered_frames, report
from tests.alignment.clips import CLIPS, H264
from tests.alignment.generator import Clip, make
from tests.media import read_aligned, times_of
from workflow_scripts import crop_faces, dump_visual_features, resample_audio


@pytest.mark.parametrize("clip", CLIPS, ids=lambda clip: clip.name)
def test_every_stage_holds_the_frame_that_it_names(clip, tmp_path):
    found, _ = chain.run(clip, make(clip, tmp_path), tmp_path / "results")
    assert found.errors == []
    whole = clip.kept_share == 1
    assert found.frames == len(clip.times_s) if whole else found.frames >= 25
    assert found.crops == 3 * found.frames and found.beeps == (len(clip.heard) if whole else 3)


def test_the_combinations_span_what_users_bring():
    assert len(CLIPS) >= 40 and len({clip.name for clip in CLIPS}) == len(CLIPS)
    assert {clip.name.rsplit(".", 1)[1] for clip in CLIPS} >= {"mp4", "mov", "avi", "mkv", "webm", "flv", "ts"}
    rates = {clip.rate for clip in CLIPS}
    assert rates >= {Fraction(15, 2), Fraction(24000, 1001), Fraction(25), Fraction(30000, 1001), Fraction(30)}
    assert {clip.rotation for clip in CLIPS} == {0, 90, 180, 270}
    assert {clip.state for clip in CLIPS} == {"audible", "silent", "no_audio"}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"rate": Fraction(24)}, "frame 2 is at 0.0400 s, not 0.0417 s"),
        ({"size": (128, 160)}, "frames of {(160, 128)} px, not (128, 160)"),
        ({"audio": None}, "audio is called audible, not no_audio"),
        ({"audio_from_s": 0.5}, "5 beeps, not 4"),
    ],
)
def test_what_is_not_as_it_was_made_is_told(tmp_path, changes, told):
    clip = Clip("v.mp4", H264)
    found, _ = chain.run(replace(clip, **changes), make(clip, tmp_path), tmp_path / "results")
    assert told in found.errors


def test_a_stage_that_slips_is_told(tmp_path, monkeypatch):
    clip = Clip("v.mp4", H264)
    video = make(clip, tmp_path)

    def a_frame_late(path, num_frames):
        frames = list(read_frames(path, num_frames))
        yield from (replace(frame, number=frame.number + 1) for frame in frames[:-1])

    def early(timeline):
        clock, start_s = read_start(timeline)
        return clock, start_s - 0.02

    with monkeypatch.context() as patched:
        patched.setattr(crop_faces, "read_frames", a_frame_late)
        found, _ = chain.run(clip, video, tmp_path / "results")
        assert len(found.errors) == 3 * 44 + 1 and "crops/ holds 1 for frame 2" in found.errors
    with monkeypatch.context() as patched:
        patched.setattr(resample_audio, "read_start", early)
        found, _ = chain.run(clip, video, tmp_path / "results")
        assert len(found.errors) == 10 and "audio/ has frame 5's beep +0.0200 s off" in found.errors
    with monkeypatch.context() as patched:
        patched.setattr(chain, "labels_for_frames", lambda *arguments: np.roll(labels_for_frames(*arguments), 1))
        found, _ = chain.run(clip, video, tmp_path / "results")
        assert "+0 annotation rows: frame 2 slips" in found.errors


def test_features_are_those_of_the_frames_that_they_name(tmp_path):
    tracks = []
    for clip in (Clip("a.mp4", H264), Clip("b.mkv", H264, audio=None), Clip("c.avi", H264, silent=True)):
        found, files = chain.run(clip, make(clip, tmp_path), tmp_path / "results")
        tracks.append((files, found))
    features.check(tracks, tmp_path)
    assert [found.errors for _, found in tracks] == [[], [], []]


def test_features_that_slip_are_told(tmp_path, monkeypatch):
    clip = Clip("a.mp4", H264)
    found, files = chain.run(clip, make(clip, tmp_path), tmp_path / "results")

    def a_frame_late(npy, index, values, *others):
        write_shard(npy, index, np.roll(values, 1, axis=0), *others)

    monkeypatch.setattr(dump_visual_features, "write_shard", a_frame_late)
    features.check([(files, found)], tmp_path)
    assert len(found.errors) == 5 and "features/visual holds frame 2 for frame 1" in found.errors


@pytest.mark.parametrize(
    ("name", "video"),
    [("h264.ts", H264 + " -g 8"), ("mpeg2.ts", "-c:v mpeg2video -bf 2 -g 8 -q:v 3")],
)
def test_a_recording_that_begins_and_ends_inside_keeps_every_time(tmp_path, name, video):
    clip = Clip(name, video, audio="-c:a mp2")
    path = make(clip, tmp_path)
    packets = len(path.read_bytes()) // 188
    path.write_bytes(path.read_bytes()[packets // 4 * 188 : packets * 3 // 4 * 188])
    frames = [frame for frame in read_video(path) if frame.decoded]
    numbers = [_number(frame.rgb) for frame in frames]
    assert len(numbers) >= 15 and (np.diff(numbers) > 0).all() and numbers[0] > 1
    first_s = clip.times_s[numbers[0] - 1]
    wanted = [float(clip.times_s[number - 1] - first_s) for number in numbers]
    assert times_of(frames) == pytest.approx(wanted, abs=1e-3)
    _, samples, _ = read_aligned(path)
    heard = {which: middle_s for which, middle_s in beeps.find(samples, SAMPLE_RATE)}
    inside = [which for which, time_s in enumerate(clip.beep_times_s) if 0.05 < time_s - first_s < wanted[-1] - 0.1]
    assert len(inside) >= 1
    for which in inside:
        assert heard[which] == pytest.approx(clip.beep_times_s[which] - float(first_s), abs=0.01)


def _number(rgb):
    """The one number that can be read, wherever its face would be."""
    read = set()
    for number in range(1, 60):
        with suppress(numbered_frames.Unreadable):
            if numbered_frames.read_frame(rgb, number) == number:
                read.add(number)
    assert len(read) == 1
    return read.pop()


def test_the_table_ends_with_the_counts():
    good = chain.Found(frames=55, crops=165, rows=770, beeps=5, beep_slip_s=0.0012, state="audible")
    bad = chain.Found(frames=1, crops=3, rows=14, slip_s=0.0005, state="no_audio", errors=["it slips"])
    lines = list(report.clip_lines([(CLIPS[0], good), (CLIPS[1], bad)]))
    assert len(lines) == 5 and lines[3] == f"{CLIPS[1].name}: it slips"
    assert lines[-1] == (
        "2 combinations: 56 frames, 168 crops, 784 annotation and submission rows and 5 beeps read back, 1 errors; "
        "largest slip of a frame 0.50 ms, of a beep 1.20 ms"
    )
