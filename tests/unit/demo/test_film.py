from dataclasses import replace

import numpy as np
import pytest

from frame_expressions.demo.film import (
    Film,
    annotation_rows,
    draw_frames,
    draw_poses,
    draw_sound,
    frame_times_s,
    plan_films,
    truth_of,
)
from frame_expressions.demo.plan import plan_videos


@pytest.fixture(scope="module")
def films() -> list[Film]:
    return plan_films(plan_videos(12, 6, 6, 9, 320, edge_every=5), 0.3, 0.3, 3407)


def pick(films, choose) -> Film:
    return next(film for film in films if choose(film.video))


def test_every_split_labels_all_expressions(films):
    for split in ("train", "validation", "test"):
        rows = [
            annotation_rows(film, place)
            for film in films
            for place, person in enumerate(film.video.persons)
            if person.split == split
        ]
        assert set(np.concatenate(rows).tolist()) == {-1, *range(8)}


def test_annotations_have_a_row_a_frame_and_gaps(films):
    for film in films:
        for place, person in enumerate(film.video.persons):
            rows = annotation_rows(film, place)
            assert len(rows) == film.video.num_frames + person.extra_rows
            labelled = rows[: film.video.num_frames] >= 0
            expression = truth_of(film, place).expression
            np.testing.assert_array_equal(rows[: film.video.num_frames][labelled], expression[labelled])
            assert 0 < (~labelled).mean() < 0.1


def test_time_follows_the_frame_rate(films):
    video = pick(films, lambda video: video.fps == 7.5).video
    assert frame_times_s(video)[:3].tolist() == pytest.approx([0, 2 / 15, 4 / 15])


def test_faces_are_inside_the_frame_unless_planned_at_its_edge(films):
    for film in films:
        for place, person in enumerate(film.video.persons):
            boxes = np.array([pose.xyxy_px() for pose in draw_poses(film, place)])
            limits = np.array([film.video.width_px, film.video.height_px])
            inside = (boxes[:, :2] >= 0).all(axis=1) & (boxes[:, 2:] <= limits).all(axis=1)
            assert 0.3 < inside.mean() < 0.8 if person.at_edge else inside.all()
            sides = boxes[:, 2] - boxes[:, 0]
            assert sides.min() > 90


def test_the_edge_cuts_a_face_by_a_fifth_and_it_still_tells(films):
    film = pick(films, lambda video: video.persons[0].at_edge)
    outside_px = np.array([pose.xyxy_px()[2] - film.video.width_px for pose in draw_poses(film, 0)])
    share = outside_px / [pose.side_px for pose in draw_poses(film, 0)]
    assert share.max() == pytest.approx(0.2) and (share > 0.15).mean() > 0.25
    assert truth_of(film, 0).visual_informative[share > 0.15].any()


def test_most_frames_have_a_cue_and_some_lack_each(films):
    truths = [truth_of(film, 0) for film in films if film.video.persons[0].split == "test"]
    seen = np.concatenate([truth.visual_informative for truth in truths])
    heard = np.concatenate([truth.audio_informative for truth in truths])
    assert 0.5 < seen.mean() < 0.8 and 0.5 < heard.mean() < 0.85
    assert (seen | heard).mean() > 0.85


def test_sound_of_the_two_speaks_for_one_at_a_time(films):
    film = pick(films, lambda video: len(video.persons) == 2)
    half = film.video.num_frames // 2
    left, right = truth_of(film, 0), truth_of(film, 1)
    differ = left.expression != right.expression
    assert not right.audio_informative[:half][differ[:half]].any()
    assert not left.audio_informative[half + 1 :][differ[half + 1 :]].any()
    assert left.audio_informative[:half].any() and right.audio_informative[half:].any()


def test_a_video_without_sound_tells_nothing_by_it(films):
    film = pick(films, lambda video: video.sound == "none")
    assert draw_sound(film) is None
    assert not truth_of(film, 0).audio_informative.any()


def test_late_sound_tells_nothing_before_it_starts(films):
    film = pick(films, lambda video: video.sound == "late")
    before = frame_times_s(film.video) < 0.5
    assert not truth_of(film, 0).audio_informative[before].any()
    assert truth_of(film, 0).audio_informative[~before].any()


def test_a_video_does_not_depend_on_the_others(films):
    film = films[7]
    alone = replace(film, video=film.video)
    assert draw_poses(alone, 0) == draw_poses(film, 0)
    first, again = (next(draw_frames(each)) for each in (film, alone))
    np.testing.assert_array_equal(first, again)
    assert first.shape == (film.video.height_px, film.video.width_px, 3) and first.dtype == np.uint8
