"""A folder of videos to predict."""

import os
from pathlib import Path

import pytest

from frame_expressions.corpora.folder import MOST_PERSONS, folder_name, folder_tracks, list_videos, video_names
from frame_expressions.corpora.tracks import check_tracks
from frame_expressions.runtime.errors import InputError


def _folder(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return root


def _scan(folder, split="predict-x", persons="main"):
    return folder_tracks(folder, video_names(list_videos(folder).videos, {}), split, persons)


def test_every_video_at_any_depth_is_a_track_with_a_name_fit_for_files(tmp_path):
    folder = _folder(tmp_path, "a.mp4", "sub/b c.MOV", "notes.txt", ".hidden.mp4", "sub/-é.avi")
    tracks = _scan(folder)
    assert {track.video: track.path.removeprefix(f"{folder}/") for track in tracks} == {
        "a": "a.mp4",
        "sub-b_c": "sub/b c.MOV",
        "sub--_": "sub/-é.avi",
    }
    assert all(track.track == track.video and track.person == "auto" for track in tracks)
    check_tracks(tracks)


def test_videos_behind_links_count_and_folders_trash_and_results_do_not(tmp_path, monkeypatch):
    monkeypatch.chdir(_folder(tmp_path / "checkout", "a.mp4", "results/predict/x/a.mp4"))
    disk = _folder(tmp_path / "disk", "b.mp4")
    _folder(Path(), "frames.mp4/00001.jpg", ".Trash/c.mp4", "__MACOSX/d.mp4")
    Path("linked").symlink_to(disk)
    (disk / "again").symlink_to(Path.cwd())
    Path("gone.mp4").symlink_to("nowhere.mp4")
    assert [track.path for track in _scan(Path())] == ["a.mp4", "linked/b.mp4"]
    assert list_videos(Path()).refused == {"gone.mp4": "it is a link to a file that does not exist"}
    (track,) = _scan(Path("results/predict"))
    assert track.path == "results/predict/x/a.mp4"


def test_videos_whose_names_would_be_one_are_told_apart_for_good(tmp_path):
    folder = _folder(tmp_path, "a b.mp4", "a_b.mp4", "A_B.avi", "c.mp4")
    names = [track.video for track in _scan(folder)]
    assert len({name.lower() for name in names}) == 4 and "c" in names
    (folder / "a b.mp4").unlink()
    assert set(_scan(folder)[i].video for i in range(3)) < set(names)
    check_tracks(_scan(folder))


def test_all_persons_are_followed_up_to_a_number(tmp_path):
    tracks = _scan(_folder(tmp_path, "a.mp4"), persons="all")
    assert [track.person for track in tracks] == [f"person@{place}" for place in range(1, MOST_PERSONS + 1)]
    assert {track.video for track in tracks} == {"a"} and len({track.track for track in tracks}) == MOST_PERSONS


def test_one_file_is_a_folder_of_one_video(tmp_path):
    video = _folder(tmp_path, "clip one.mp4") / "clip one.mp4"
    (track,) = _scan(video)
    assert (track.video, track.path) == ("clip_one", str(video))
    assert folder_name(video) == "clip_one"


@pytest.mark.parametrize(
    ("name", "said"), [("empty", "holds no file with a suffix of videos"), ("missing", "does not exist")]
)
def test_a_folder_without_videos_is_refused_by_name(tmp_path, name, said):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=f"predict_videos: .*{name} {said}"):
        _scan(tmp_path / name)


def test_a_path_that_snakemake_would_read_as_a_wildcard_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"you \{x\}\.mp4' cannot be used, because it has a brace .*rename"):
        _scan(_folder(tmp_path, "you {x}.mp4"))


@pytest.mark.parametrize("persons", ["main", "all"])
def test_the_longest_names_of_a_file_system_leave_room_for_what_stages_add(tmp_path, persons):
    folder = _folder(tmp_path / ("f" * 255), "a" * 251 + ".mp4", "a" * 250 + "b.mp4", "é" * 125 + ".mp4")
    tracks = _scan(folder, f"predict-{folder_name(folder)}", persons)
    assert len({track.video for track in tracks}) == 3
    for track in tracks:
        longest = f"predict-{folder_name(folder)}-{track.track}.parquet"
        (tmp_path / f".{longest}.4194304.partial").touch()


def test_suffixes_of_cameras_phones_and_recorders_are_found(tmp_path):
    names = ["00001.MTS", "VTS_01_1.VOB", "cctv.asf", "clip.mxf", "phone.3g2", "tape.m2ts", "raw.h264", "old.rm"]
    folder = _folder(tmp_path / "videos", *names, "notes.txt", "song.mp3")
    assert [Path(track.path).name for track in _scan(folder)] == sorted(names)


def test_a_name_that_snakemake_cannot_take_loses_no_other_video(tmp_path):
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/a\xff.mp4")).touch()
    with pytest.raises(InputError, match=r"a\\\\udcff\.mp4' cannot be used, because .* rename") as refusal:
        list_videos(tmp_path)
    assert str(refusal.value).isprintable()
    _folder(tmp_path, "a b.mp4", "line\nbreak.mp4", "you {x}.mp4", "IMG\u202f1.mov", "nfd\u0301 \u200d\U0001fae8.mp4")
    found = list_videos(tmp_path)
    assert found.videos == ("IMG\u202f1.mov", "a b.mp4", "nfd\u0301 \u200d\U0001fae8.mp4")
    refused = {path.removeprefix(f"{tmp_path}/"): reason for path, reason in found.refused.items()}
    assert sorted(refused) == ["a\\udcff.mp4", "line\\nbreak.mp4", "you {x}.mp4"]
    assert refused["you {x}.mp4"].startswith("it has a brace in its path")


def test_what_is_passed_over_is_counted_by_its_suffix(tmp_path):
    names = ["a.mp4", "a.srt", "b.SRT", "notes", "d/song.mp3"]
    assert list_videos(_folder(tmp_path, *names)).passed_over == {".srt": 2, "without a suffix": 1, ".mp3": 1}


def test_a_video_keeps_its_name_when_others_come_and_go():
    first = video_names(["a b.mp4", "c.mp4"], {})
    assert first == {"a b.mp4": "a_b", "c.mp4": "c"}
    later = video_names(["a b.mp4", "a_b.mp4", "A_B.avi"], first)
    assert later["a b.mp4"] == "a_b" and len({name.lower() for name in later.values()}) == 3
    assert video_names(["a_b.mp4"], first) == {"a_b.mp4": later["a_b.mp4"]}


@pytest.mark.parametrize("name", ["001", "2024", "1_2", "1e3", "0x10", "null", "true"])
def test_folders_whose_names_are_values_in_yaml(tmp_path, name):
    assert folder_name(_folder(tmp_path / name, "1.mp4")) == name
    assert [track.video for track in _scan(tmp_path / name)] == ["1"]


def test_a_number_of_persons_is_followed(tmp_path):
    tracks = _scan(_folder(tmp_path, "a.mp4"), persons=12)
    assert [track.person for track in tracks] == [f"person@{place}" for place in range(1, 13)]
