"""A folder of videos to predict."""

import os
from pathlib import Path

import pytest

from frame_expressions.corpora.folder import MOST_PERSONS, folder_name, scan_folder
from frame_expressions.corpora.tracks import check_tracks
from frame_expressions.runtime.errors import InputError
from frame_expressions.workflow.corpus import Corpus


def _folder(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return root


def test_every_video_at_any_depth_is_a_track_with_a_name_fit_for_files(tmp_path):
    folder = _folder(tmp_path, "a.mp4", "sub/b c.MOV", "notes.txt", ".hidden.mp4", "sub/-é.avi")
    tracks = scan_folder(folder, "predict-x", "main")
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
    Path("gone.mp4").symlink_to("nowhere.mp4")  # extract_frames says that it is missing
    assert [track.path for track in scan_folder(Path(), "predict-x", "main")] == [
        "a.mp4",
        "gone.mp4",
        "linked/b.mp4",
    ]
    (track,) = scan_folder(Path("results/predict"), "predict-x", "main")
    assert track.path == "results/predict/x/a.mp4"


def test_videos_whose_names_would_be_one_are_told_apart_for_good(tmp_path):
    folder = _folder(tmp_path, "a b.mp4", "a_b.mp4", "A_B.avi", "c.mp4")
    names = [track.video for track in scan_folder(folder, "predict-x", "main")]
    assert len({name.lower() for name in names}) == 4 and "c" in names
    (folder / "a b.mp4").unlink()
    assert set(scan_folder(folder, "predict-x", "main")[i].video for i in range(3)) < set(names)
    check_tracks(scan_folder(folder, "predict-x", "main"))


def test_all_persons_are_followed_up_to_a_number(tmp_path):
    tracks = scan_folder(_folder(tmp_path, "a.mp4"), "predict-x", "all")
    assert [track.person for track in tracks] == [f"person@{place}" for place in range(1, MOST_PERSONS + 1)]
    assert {track.video for track in tracks} == {"a"} and len({track.track for track in tracks}) == MOST_PERSONS


def test_one_file_is_a_folder_of_one_video(tmp_path):
    video = _folder(tmp_path, "clip one.mp4") / "clip one.mp4"
    (track,) = scan_folder(video, "predict-x", "main")
    assert (track.video, track.path) == ("clip_one", str(video))
    assert folder_name(video) == "clip_one"


@pytest.mark.parametrize(("name", "said"), [("empty", "holds no video"), ("missing", "does not exist")])
def test_a_folder_without_videos_is_refused_by_name(tmp_path, name, said):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=f"predict_videos: .*{name} {said}"):
        scan_folder(tmp_path / name, "predict-x", "main")


def test_a_path_that_snakemake_would_read_as_a_wildcard_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"you \{x\}\.mp4' has a brace in its path.*rename"):
        scan_folder(_folder(tmp_path, "you {x}.mp4"), "predict-x", "main")


@pytest.mark.parametrize("persons", ["main", "all"])
def test_the_longest_names_of_a_file_system_leave_room_for_what_stages_add(tmp_path, persons):
    folder = _folder(tmp_path / ("f" * 255), "a" * 251 + ".mp4", "a" * 250 + "b.mp4", "é" * 125 + ".mp4")
    tracks = scan_folder(folder, f"predict-{folder_name(folder)}", persons)
    assert len({track.video for track in tracks}) == 3
    for track in tracks:
        longest = f"predict-{folder_name(folder)}-{track.track}.parquet"
        (tmp_path / f".{longest}.4194304.partial").touch()


def test_suffixes_of_cameras_phones_and_recorders_are_found(tmp_path):
    names = ["00001.MTS", "VTS_01_1.VOB", "cctv.asf", "clip.mxf", "phone.3g2", "tape.m2ts", "raw.h264", "old.rm"]
    folder = _folder(tmp_path / "videos", *names, "notes.txt", "song.mp3")
    assert [Path(track.path).name for track in scan_folder(folder, "predict-x", "main")] == sorted(names)


def test_names_that_are_no_utf8_are_refused_with_a_sentence(tmp_path):
    (tmp_path / "a b.mp4").touch()
    (Path(os.fsdecode(os.fsencode(tmp_path) + b"/a\xff.mp4"))).touch()
    with pytest.raises(InputError, match=r"a\\udcff\.mp4' has .* rename") as refusal:
        scan_folder(tmp_path, "predict-x", "main")
    assert str(refusal.value).isprintable()


def test_batches_of_predicted_videos_keep_apart_from_a_corpus_with_the_same_names(tmp_path):
    tracks = scan_folder(_folder(tmp_path, "a.mp4", "b.mp4"), "predict-x", "main")
    corpus = Corpus(tracks, None, 1, 4, prefix="predict-x-")
    batches = {corpus.video(video).folder("crops") for video in corpus.paths}
    assert all(batch.startswith("results/crops/predict-x-") for batch in batches)
    assert corpus.shard_files("visual", "npy", ["predict-x"]) == ["results/features/visual/predict-x-000.npy"]
