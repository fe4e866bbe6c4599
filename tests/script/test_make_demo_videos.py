import av
import pyarrow.parquet as pq
import pytest

from frame_expressions.artifacts.parquet import read_provenance
from frame_expressions.challenge.annotations import read_annotation
from frame_expressions.challenge.templates import template_tracks
from frame_expressions.corpora.affwild2 import scan_affwild2
from frame_expressions.demo.plan import RECORD, TEMPLATE, TEST_TRACKS, names_of_test_tracks, plan_videos, planned_paths
from workflow_scripts.make_demo_videos import run

VIDEOS = {"train_tracks": 2, "validation_tracks": 2, "test_tracks": 2, "clip_s": 1, "height_px": 160, "edge_every": 5}


def files_in(root):
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def make(folder, num_processes):
    run(
        root=folder / "affwild2",
        truth=folder / "truth.parquet",
        seed=7,
        videos=VIDEOS,
        visual_gap_share=0.3,
        audio_gap_share=0.3,
        num_processes=num_processes,
    )


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    (folder / "affwild2" / "batch1").mkdir(parents=True)
    (folder / "affwild2" / "batch1" / "mine.mp4").write_bytes(b"a user's own video")
    make(folder, 2)
    return folder


def test_writes_the_planned_files_and_no_other(corpus):
    made = files_in(corpus / "affwild2")
    assert made.pop("batch1/mine.mp4") == b"a user's own video"
    assert set(made) == {RECORD, *planned_paths(plan_videos(**VIDEOS))}


def test_what_an_earlier_plan_made_is_removed_and_other_files_stay(tmp_path):
    root = tmp_path / "affwild2"
    for name in ("batch1/earlier.mp4", "batch1/mine.mp4"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    (root / RECORD).write_text("batch1/earlier.mp4\nbatch1/removed_by_hand.mp4\n")
    make(tmp_path, 2)
    assert not (root / "batch1/earlier.mp4").exists()
    assert (root / "batch1/mine.mp4").exists()


def test_the_number_of_processes_changes_nothing(corpus, tmp_path):
    make(tmp_path, 1)
    first = files_in(corpus)
    assert first.pop("affwild2/batch1/mine.mp4")
    assert files_in(tmp_path) == first


def test_the_real_adapter_reads_the_layout(corpus):
    root = corpus / "affwild2"
    (root / "batch1" / "mine.mp4").rename(corpus / "mine.mp4")
    tracks, _, problems = scan_affwild2(root)
    assert problems == []
    (corpus / "mine.mp4").rename(root / "batch1" / "mine.mp4")
    assert sorted(track.split for track in tracks) == ["test"] * 2 + ["train"] * 2 + ["validation"] * 2
    left, right = (next(track for track in tracks if track.track.endswith(side)) for side in ("_left", "_right"))
    assert left.group == right.group and (left.person, right.person) == ("left", "right")


def test_videos_have_the_planned_frames_and_annotations_their_rows(corpus):
    for video in plan_videos(**VIDEOS):
        with av.open(str(corpus / "affwild2" / video.path)) as clip:
            shapes = [(frame.width, frame.height) for frame in clip.decode(video=0)]
        assert shapes == [(video.width_px, video.height_px)] * video.num_frames
        for person in video.persons:
            if person.annotation:
                rows = read_annotation(corpus / "affwild2" / person.annotation)
                assert len(rows) == video.num_frames + person.extra_rows


def test_template_and_truth_cover_the_test_tracks(corpus):
    videos = plan_videos(**VIDEOS)
    names = names_of_test_tracks(videos)
    rows = template_tracks(corpus / "affwild2" / TEMPLATE)
    assert list(rows) == names
    assert (corpus / "affwild2" / TEST_TRACKS).read_text().split() == names
    truth = pq.read_table(corpus / "truth.parquet")
    assert truth.column_names == ["track", "frame", "expression", "visual_informative", "audio_informative"]
    frames = {person.track: video.num_frames for video in videos for person in video.persons}
    for name in names:
        own = truth.filter([value == name for value in truth["track"].to_pylist()])
        assert own["frame"].to_pylist() == list(range(1, frames[name] + 1))
    assert [rows[name] - frames[name] for name in names] == [1, 0]
    assert set(truth["expression"].to_pylist()) == set(range(8))


def test_the_truth_says_what_made_it(corpus):
    assert read_provenance(corpus / "truth.parquet")["settings"] == {
        "videos": VIDEOS,
        "visual_gap_share": 0.3,
        "audio_gap_share": 0.3,
        "seed": 7,
    }
