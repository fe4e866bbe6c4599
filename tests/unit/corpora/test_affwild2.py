"""The organisers' folders, with the traps that they hold."""

from pathlib import Path

import pytest

from frame_expressions.corpora.affwild2 import scan_affwild2
from frame_expressions.corpora.problems import raise_first
from frame_expressions.runtime.errors import InputError

ANNOTATIONS = "10th ABAW Annotations/EXPR_Recognition_Challenge"
TEMPLATE = "test_set_examples/ABAW_Expr_test_set_example.txt"
TEST_LIST = "names_of_videos_in_each_test_set/Expression_Recognition_Challenge_test_set_release.txt"


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def write(root: Path, name: str, text: str) -> None:
    touch(root, name)
    (root / name).write_text(text)


def small_corpus(root: Path) -> None:
    touch(root, "batch1/102.avi", "batch1/102-30-640x360.mp4", "batch2/deeper/video2.mp4", "new_vids/7.mp4")
    for name in ("Train_Set/102", "Train_Set/video2_left", "Validation_Set/102-30-640x360", "Train_Set/video2"):
        touch(root, f"{ANNOTATIONS}/{name}.txt")
    write(root, TEMPLATE, "image_location,Neutral\n7/00001.jpg,0\n7/00002.jpg,0\n")


def no_test_tracks(root: Path) -> None:
    write(root, TEST_LIST, "\n")


def index(root, **options):
    """The tracks below `root`; raises InputError for the first problem."""
    tracks, _, problems = scan_affwild2(root, **options)
    raise_first(problems)
    return tracks


def template_below(root, **options):
    return scan_affwild2(root, **options)[1]


def by_name(tracks):
    return {track.track: track for track in tracks}


def test_small_corpus(tmp_path):
    small_corpus(tmp_path)
    tracks = index(tmp_path)
    assert [(track.track, track.split) for track in tracks] == [
        ("102", "train"),
        ("video2", "train"),
        ("video2_left", "train"),
        ("102-30-640x360", "validation"),
        ("7", "test"),
    ]
    found = by_name(tracks)
    assert found["102"].path == str(tmp_path / "batch1/102.avi")
    assert found["102-30-640x360"].path == str(tmp_path / "batch1/102-30-640x360.mp4")
    assert found["video2_left"].annotation == str(tmp_path / ANNOTATIONS / "Train_Set/video2_left.txt")
    assert found["7"].annotation == found["7"].label == ""


def test_unsuffixed_track_of_a_pair_is_auto_and_shares_the_group(tmp_path):
    small_corpus(tmp_path)
    found = by_name(index(tmp_path))
    assert [found[name].person for name in ("video2", "video2_left")] == ["auto", "left"]
    assert {found[name].group for name in ("video2", "video2_left")} == {"video2"}
    assert {found[name].path for name in ("video2", "video2_left")} == {str(tmp_path / "batch2/deeper/video2.mp4")}


def test_a_video_of_exactly_the_tracks_name_comes_first(tmp_path):
    small_corpus(tmp_path)
    touch(tmp_path, "batch1/video2_left.mp4")
    track = by_name(index(tmp_path))["video2_left"]
    assert (track.video, track.person, track.group) == ("video2_left", "auto", "video2_left")


def test_videos_are_never_matched_by_prefix(tmp_path):
    small_corpus(tmp_path)
    (tmp_path / "batch1/102.avi").unlink()
    with pytest.raises(InputError, match=r"Track 102 .*no file 102 .*102-30-640x360\.mp4, is another video"):
        index(tmp_path)


def test_only_left_and_right_are_stripped(tmp_path):
    small_corpus(tmp_path)
    touch(tmp_path, "batch1/video45.mp4", f"{ANNOTATIONS}/Train_Set/video45_3.txt")
    with pytest.raises(InputError, match=r"Track video45_3 .*no file video45_3 "):
        index(tmp_path)


@pytest.mark.parametrize(
    "folder",
    [
        "3rd ABAW Annotations/Third ABAW Annotations/EXPR_Classification_Challenge/Train_Set",
        "EXPR_Recognition_Challenge/EXPR_Recognition_Challenge/Train_Set",
        "a/EXPR_Recognition_Challenge/Train_Set/Train_Set",
        "EXPR Classification Challenge/train set",
        "expr-recognition-challenge/Training_Set",
        "Expression_Recognition_Challenge/TRAIN_SET",
    ],
)
def test_annotations_at_any_nesting_and_spelling(tmp_path, folder):
    touch(tmp_path, "batch1/1.MP4", f"{folder}/1.txt", "VA_Estimation_Challenge/Train_Set/2.txt", "readme.txt")
    no_test_tracks(tmp_path)
    tracks = index(tmp_path)
    assert [(track.track, track.split) for track in tracks] == [("1", "train")]


@pytest.mark.parametrize("folder", ["Validation_Set", "Validation Set", "Val_Set"])
def test_spellings_of_the_validation_folder(tmp_path, folder):
    touch(tmp_path, "batch1/1.avi", f"{ANNOTATIONS}/{folder}/1.txt")
    no_test_tracks(tmp_path)
    assert index(tmp_path)[0].split == "validation"


def test_cropped_images_and_shadow_files_are_not_walked(tmp_path):
    small_corpus(tmp_path)
    touch(tmp_path, "cropped_aligned/102/00001.jpg", "Cropped_new/102.mp4", "__MACOSX/102.mp4", "batch1/._102.avi")
    assert by_name(index(tmp_path))["102"].path.endswith("batch1/102.avi")


def test_linked_batches_and_a_loop_of_links(tmp_path):
    touch(tmp_path / "disk", "1.mp4")
    root = tmp_path / "root"
    touch(root, f"{ANNOTATIONS}/Train_Set/1.txt")
    no_test_tracks(root)
    (root / "batch1").symlink_to(tmp_path / "disk")
    (tmp_path / "disk" / "up").symlink_to(root)
    assert index(root)[0].path == str(root / "batch1/1.mp4")


def test_two_videos_of_one_name_stop_only_where_a_track_needs_them(tmp_path):
    small_corpus(tmp_path)
    touch(tmp_path, "batch1/unused.mp4", "batch2/unused.avi")
    assert len(index(tmp_path)) == 5
    touch(tmp_path, "batch3/102.mp4")
    with pytest.raises(InputError, match=r"Track 102 has two videos, .*102\.avi and .*102\.mp4"):
        index(tmp_path)


def test_a_track_annotated_twice_is_refused(tmp_path):
    small_corpus(tmp_path)
    touch(tmp_path, "5th/EXPR_Classification_Challenge/Validation_Set/102.txt")
    with pytest.raises(InputError, match=f"102 is annotated twice.*below corpus.root, {tmp_path}"):
        index(tmp_path)


def test_a_test_track_with_an_annotation_is_refused(tmp_path):
    small_corpus(tmp_path)
    touch(tmp_path, f"{ANNOTATIONS}/Train_Set/7.txt")
    with pytest.raises(InputError, match="7 is both annotated"):
        index(tmp_path)


def test_missing_parts_are_named(tmp_path):
    root = tmp_path / "far/below/others"  # the folders above are searched too, for a better hint
    with pytest.raises(InputError, match=r"contains no files; set corpus\.root"):
        index(root / "nowhere")
    touch(root, "batch1/1.mp4")
    with pytest.raises(InputError, match=r"holds no annotations.*, or correct corpus\.root"):
        index(root)


@pytest.mark.parametrize("annotations", ["", "Third ABAW Annotations/"])
@pytest.mark.parametrize("folder", ["batch1", "{}EXPR_Recognition_Challenge", "{}EXPR_Recognition_Challenge/Train_Set"])
def test_a_root_that_is_too_deep_gets_the_right_folder_as_remedy(tmp_path, annotations, folder):
    touch(tmp_path, "batch1/1.mp4", f"{annotations}EXPR_Recognition_Challenge/Train_Set/1.txt")
    with pytest.raises(InputError, match=rf"holds no annotations .*; set corpus\.root to {tmp_path}, which holds some"):
        index(tmp_path / folder.format(annotations))


@pytest.mark.parametrize(
    "name",
    [
        "CVPR_5th_ABAW_EXPR_test_set_sample.txt",
        "CVPR_6th_ABAW_Expr_test_set_example.txt",
        "test_set_examples/ABAW_Expr_test_set_example.txt",
        "test_set_examples/ABAW_Expr_test_set_sample.txt",
    ],
)
def test_templates_of_every_edition_are_found(tmp_path, name):
    touch(tmp_path, name, "CVPR_6th_ABAW_VA_test_set_example.txt", "ABAW_AU_test_set_sample.txt")
    assert template_below(tmp_path) == tmp_path / name


def test_two_templates_are_ambiguous_unless_one_is_named(tmp_path):
    small_corpus(tmp_path)
    write(tmp_path, "CVPR_6th_ABAW_Expr_test_set_example.txt", "video2_right/00001.jpg,0\n")
    with pytest.raises(InputError, match=r"several test templates.*; set corpus\.template to one of them"):
        index(tmp_path)
    tracks = index(tmp_path, template=tmp_path / "CVPR_6th_ABAW_Expr_test_set_example.txt")
    last = tracks[-1]
    assert (last.track, last.video, last.person, last.split) == ("video2_right", "video2", "right", "test")


def test_list_of_test_videos_serves_without_a_template(tmp_path):
    small_corpus(tmp_path)
    (tmp_path / TEMPLATE).unlink()
    assert template_below(tmp_path) is None
    with pytest.raises(InputError, match=r"holds no test template .* and no list of test videos"):
        index(tmp_path)
    write(tmp_path, TEST_LIST, "\ufeff7\r\n\r\nvideo2_right\r\n")
    tracks, template, problems = scan_affwild2(tmp_path)
    assert [track.track for track in tracks if track.split == "test"] == ["7", "video2_right"]
    assert template is None and problems == []


@pytest.mark.parametrize("folder", ["Test_Set", "test set"])
def test_a_folder_with_a_file_per_test_track_is_a_template(tmp_path, folder):
    small_corpus(tmp_path)
    (tmp_path / TEMPLATE).unlink()
    rows = "Neutral,Anger,Disgust,Fear,Happiness,Sadness,Surprise,Other\n" + "-1\n" * 3
    for track in ("video2_right", "7"):
        write(tmp_path, f"{ANNOTATIONS}/{folder}/{track}.txt", rows)
    touch(tmp_path, f"{ANNOTATIONS}/{folder}/._7.txt")
    tracks, template, problems = scan_affwild2(tmp_path)
    assert template == template_below(tmp_path) == tmp_path / ANNOTATIONS / folder and problems == []
    test = [(track.track, track.person, track.annotation) for track in tracks if track.split == "test"]
    assert test == [("7", "auto", ""), ("video2_right", "right", "")]


def test_everything_that_is_missing_is_named_in_one_go(tmp_path):
    small_corpus(tmp_path)
    (tmp_path / "batch1/102.avi").unlink()
    touch(tmp_path, "batch3/102-30-640x360.mp4", f"{ANNOTATIONS}/Validation_Set/video2.txt")
    write(tmp_path, TEMPLATE, "7/00001.jpg,0\n8/00001.jpg,0\nvideo2_left/00001.jpg,0\n")
    tracks, _, problems = scan_affwild2(tmp_path)
    assert [track.track for track in tracks] == ["video2_left", "7"]
    assert [(problem.severity, problem.track) for problem in problems] == [
        ("error", name) for name in ("102", "video2", "102-30-640x360", "8", "video2_left")
    ]
    wanted = ["no file 102 ", "annotated twice", "two videos", "no file 8 ", "both annotated"]
    assert all(text in problem.what for text, problem in zip(wanted, problems, strict=True))
    assert problems[2].remedy == f"keep one of them below {tmp_path}"
    with pytest.raises(InputError) as refusal:
        index(tmp_path)
    assert str(refusal.value) == f"{problems[0].what}; {problems[0].remedy}."


def test_planned_files_give_the_same_tracks_before_and_after_they_exist(tmp_path, monkeypatch):
    small_corpus(tmp_path / "made")
    files = [path for path in (tmp_path / "made").rglob("*") if path.is_file()]
    planned = [path.relative_to(tmp_path / "made") for path in files]
    monkeypatch.chdir(tmp_path)
    root = Path("made")
    after = index(root)
    for path in files:
        path.unlink()
    assert index(root, planned=planned, planned_test_tracks=["7"]) == after
    assert index(root, planned=files, planned_test_tracks=["7"]) == after
    assert template_below(root, planned=planned) == root / TEMPLATE
    small_corpus(tmp_path / "made")
    assert index(root, planned=planned, planned_test_tracks=["7"]) == after
