from dataclasses import replace

import numpy as np
import pytest

from frame_expressions.demo.clip import (
    Clip,
    annotation_rows,
    draw_audio,
    draw_frames,
    draw_poses,
    frame_times_s,
    plan_clips,
    truth_of,
)
from frame_expressions.demo.plan import plan_videos


@pytest.fixture(scope="module")
def clips() -> list[Clip]:
    return plan_clips(plan_videos(12, 6, 6, 9, 320, edge_every=5), 0.3, 0.3, 3407)


def pick(clips, choose) -> Clip:
    return next(clip for clip in clips if choose(clip.video))


def test_every_split_labels_all_expressions(clips):
    for split in ("train", "validation", "test"):
        rows = [
            annotation_rows(clip, place)
            for clip in clips
            for place, person in enumerate(clip.video.persons)
            if person.split == split
        ]
        assert set(np.concatenate(rows).tolist()) == {-1, *range(8)}


def test_annotations_have_a_row_a_frame_and_gaps(clips):
    for clip in clips:
        for place, person in enumerate(clip.video.persons):
            rows = annotation_rows(clip, place)
            assert len(rows) == clip.video.num_frames + person.extra_rows
            labelled = rows[: clip.video.num_frames] >= 0
            expression = truth_of(clip, place).expression
            np.testing.assert_array_equal(rows[: clip.video.num_frames][labelled], expression[labelled])
            assert 0 < (~labelled).mean() < 0.1


def test_time_follows_the_frame_rate(clips):
    video = pick(clips, lambda video: video.fps == 7.5).video
    assert frame_times_s(video)[:3].tolist() == pytest.approx([0, 2 / 15, 4 / 15])


def test_faces_are_inside_the_frame_unless_planned_at_its_edge(clips):
    for clip in clips:
        for place, person in enumerate(clip.video.persons):
            boxes = np.array([pose.xyxy_px() for pose in draw_poses(clip, place)])
            limits = np.array([clip.video.width_px, clip.video.height_px])
            inside = (boxes[:, :2] >= 0).all(axis=1) & (boxes[:, 2:] <= limits).all(axis=1)
            assert 0.3 < inside.mean() < 0.8 if person.at_edge else inside.all()
            sides = boxes[:, 2] - boxes[:, 0]
            assert sides.min() > 90


def test_the_edge_cuts_a_face_by_a_fifth_and_it_still_tells(clips):
    clip = pick(clips, lambda video: video.persons[0].at_edge)
    outside_px = np.array([pose.xyxy_px()[2] - clip.video.width_px for pose in draw_poses(clip, 0)])
    share = outside_px / [pose.side_px for pose in draw_poses(clip, 0)]
    assert share.max() == pytest.approx(0.2) and (share > 0.15).mean() > 0.25
    assert truth_of(clip, 0).visual_informative[share > 0.15].any()


def test_most_frames_have_a_cue_and_some_lack_each(clips):
    truths = [truth_of(clip, 0) for clip in clips if clip.video.persons[0].split == "test"]
    seen = np.concatenate([truth.visual_informative for truth in truths])
    heard = np.concatenate([truth.audio_informative for truth in truths])
    assert 0.5 < seen.mean() < 0.8 and 0.5 < heard.mean() < 0.85
    assert (seen | heard).mean() > 0.85


def test_audio_of_the_two_speaks_for_one_at_a_time(clips):
    clip = pick(clips, lambda video: len(video.persons) == 2)
    half = clip.video.num_frames // 2
    left, right = truth_of(clip, 0), truth_of(clip, 1)
    differ = left.expression != right.expression
    assert not right.audio_informative[:half][differ[:half]].any()
    assert not left.audio_informative[half + 1 :][differ[half + 1 :]].any()
    assert left.audio_informative[:half].any() and right.audio_informative[half:].any()


def test_a_video_without_audio_has_no_audio_cue(clips):
    clip = pick(clips, lambda video: video.audio == "none")
    assert draw_audio(clip) is None
    assert not truth_of(clip, 0).audio_informative.any()


def test_late_audio_has_no_cue_before_it_starts(clips):
    clip = pick(clips, lambda video: video.audio == "late")
    before = frame_times_s(clip.video) < 0.5
    assert not truth_of(clip, 0).audio_informative[before].any()
    assert truth_of(clip, 0).audio_informative[~before].any()


def test_a_video_does_not_depend_on_the_others(clips):
    clip = clips[7]
    alone = replace(clip, video=clip.video)
    assert draw_poses(alone, 0) == draw_poses(clip, 0)
    first, again = (next(draw_frames(each)) for each in (clip, alone))
    np.testing.assert_array_equal(first, again)
    assert first.shape == (clip.video.height_px, clip.video.width_px, 3) and first.dtype == np.uint8
