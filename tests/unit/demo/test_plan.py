import subprocess
import sys
from fractions import Fraction

import pytest

from frame_expressions.demo.plan import (
    TEMPLATE,
    TEST_TRACKS,
    annotation_paths,
    names_of_test_tracks,
    plan_videos,
    planned_paths,
    video_paths,
)
from frame_expressions.runtime.errors import InputError

SIZES = {"train_tracks": 12, "validation_tracks": 6, "test_tracks": 6, "clip_s": 9, "height_px": 320, "edge_every": 5}


@pytest.fixture(scope="module")
def videos():
    return plan_videos(**SIZES)


def persons(videos, split):
    return [person for video in videos for person in video.persons if person.split == split]


def test_every_split_has_its_number_of_tracks(videos):
    assert [len(persons(videos, split)) for split in ("train", "validation", "test")] == [12, 6, 6]
    assert len(videos) == 23


def test_one_video_holds_two_persons_of_two_splits(videos):
    (video,) = [video for video in videos if len(video.persons) > 1]
    assert [person.track for person in video.persons] == [f"{video.name}_left", f"{video.name}_right"]
    assert [person.split for person in video.persons] == ["train", "validation"]


def test_names_are_unique_and_one_is_the_prefix_of_another(videos):
    names = [video.name for video in videos]
    assert len(set(names)) == len(names)
    assert {"102", "102-30-640x360"} <= set(names)


def test_oddities_of_the_real_corpus_are_there(videos):
    assert [video.name for video in videos if video.suffix == ".avi"] == ["102"]
    assert sum(video.audio == "none" for video in videos) == 1
    assert sum(video.audio == "late" for video in videos) == 1
    assert {"batch1", "batch2", "new_vids"} == {video.folder for video in videos}
    assert {Fraction(15, 2), Fraction(24000, 1001), Fraction(30000, 1001)} <= {video.fps for video in videos}
    assert [person.extra_rows for person in persons(videos, "train")].count(1) == 1
    assert [person.extra_rows for person in persons(videos, "test")].count(1) == 1
    assert any(person.at_edge for person in persons(videos, "train"))
    assert any(person.at_edge for person in persons(videos, "validation"))
    assert any(person.at_edge for person in persons(videos, "test"))


@pytest.mark.parametrize(("every", "cut"), [(5, 2), (2, 6), (1, 11)])
def test_so_many_training_tracks_are_cut_by_the_frames_edge(every, cut):
    # The person who shares a video with another one stands free.
    videos = plan_videos(**SIZES | {"edge_every": every})
    assert sum(person.at_edge for person in persons(videos, "train")) == cut


def test_frames_follow_from_length_and_rate(videos):
    assert all(abs(video.num_frames / video.fps - 9) <= 0.5 / video.fps + 1e-9 for video in videos)
    assert 4500 <= sum(video.num_frames for video in videos) <= 6000


def test_frame_sides_are_even(videos):
    assert all(video.width_px % 2 == 0 and video.height_px == 320 for video in videos)
    assert {video.width_px for video in videos} == {426, 568, 240}


def test_planned_paths_are_all_files_once(videos):
    planned = planned_paths(videos)
    assert len(planned) == len(set(planned)) == 23 + 18 + 2
    assert set(planned) == {*video_paths(videos), *annotation_paths(videos), TEMPLATE, TEST_TRACKS}
    assert "batch1/102.avi" in planned
    assert "10th ABAW Annotations/EXPR_Recognition_Challenge/Train_Set/102.txt" in planned
    assert not any(name in path for path in annotation_paths(videos) for name in names_of_test_tracks(videos))


def test_small_corpora_keep_the_two_persons():
    videos = plan_videos(train_tracks=2, validation_tracks=2, test_tracks=1, clip_s=1, height_px=160, edge_every=5)
    assert len(videos) == 4
    assert max(len(video.persons) for video in videos) == 2


@pytest.mark.parametrize("change", [{"train_tracks": 1}, {"test_tracks": 0}, {"clip_s": 0.5}, {"height_px": 100}])
def test_sizes_without_a_corpus_are_refused(change):
    with pytest.raises(InputError, match=r"demo\."):
        plan_videos(**SIZES | change)


def test_importing_the_plan_imports_no_arrays():
    code = "import sys, frame_expressions.demo.plan; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
