"""select_subject on faces made by hand."""

import numpy as np
import pyarrow as pa
import pytest

from frame_expressions.artifacts.parquet import read_parquet, read_provenance, write_parquet
from frame_expressions.artifacts.provenance import provenance_of
from frame_expressions.artifacts.schemas import FACES, TIMELINE
from frame_expressions.faces.boxes import Cut, cuts_metadata, read_boxes
from frame_expressions.faces.tracking import SubjectSettings
from frame_expressions.runtime.errors import InputError
from workflow_scripts.select_subject import run

BOX = [10.0, 20.0, 40.0, 50.0]


def select(tmp_path, rows, times_s, cuts=(), **settings):
    """Rows are (frame, xyxy_px, embedding)."""
    faces = [
        {"frame": frame, "xyxy_px": box, "score": 0.9, "landmarks_px": None, "embedding": embedding}
        for frame, box, embedding in rows
    ]
    faces_table = pa.Table.from_pylist(faces, schema=FACES)
    write_parquet(faces_table, tmp_path / "f.parquet", provenance_of({}), cuts_metadata(cuts))
    timeline = [
        {"frame": frame, "time_s": time_s, "decoded": True, "width_px": 99, "height_px": 99}
        for frame, time_s in enumerate(times_s, start=1)
    ]
    write_parquet(pa.Table.from_pylist(timeline, schema=TIMELINE), tmp_path / "t.parquet", provenance_of({}))
    paths = {
        "faces": tmp_path / "f.parquet",
        "timeline": tmp_path / "t.parquet",
        "subject": tmp_path / "s.parquet",
    }
    followed = {"max_gap_s": 0.5, "takeover_s": 3.0, "min_iou": 0.3, "min_similarity": 0.25, "memory": 0.9}
    run(**paths, **({"person": "auto", "overrides": [], "settings": SubjectSettings(**followed)} | settings))
    return tmp_path / "s.parquet"


def test_every_frame_has_a_box_or_none(tmp_path):
    subject = select(tmp_path, [(1, BOX, None), (3, np.add(BOX, 4), None)], [0, 0.1, 0.4, 0.5])
    table = read_parquet(subject)
    assert table.schema.names == ["frame", "time_s", "xyxy_px", "status", "person"]
    assert table["frame"].to_pylist() == [1, 2, 3, 4]
    assert table["person"].to_pylist() == [0, 0, 0, None]
    assert table["time_s"].to_pylist() == [0, 0.1, 0.4, 0.5]
    assert table["status"].to_pylist() == ["detected", "interpolated", "detected", "absent"]
    boxes = read_boxes(subject)
    assert boxes[1].tolist() == pytest.approx(list(np.add(BOX, 1))) and boxes[3] is None  # a quarter of the way
    assert table["xyxy_px"].null_count == 1
    assert read_provenance(subject)["settings"]["person"] == "auto"


def test_identity_wins_over_place(tmp_path):
    other = list(np.add(BOX, 200))
    one, two = [1.0, 0.0], [0.0, 1.0]
    rows = [(1, BOX, one), (1, other, two), (2, BOX, one), (3, BOX, two), (3, other, one)]
    subject = select(tmp_path, rows, [0, 0.1, 0.2])
    assert [box.tolist() for box in read_boxes(subject)] == [BOX, BOX, other]


def test_a_cut_ends_the_person_and_no_box_is_interpolated_across_it(tmp_path):
    rows, times_s = [(frame, BOX, None) for frame in (1, 2, 3, 5, 6)], np.arange(6) / 10
    assert read_parquet(select(tmp_path, rows, times_s))["status"].to_pylist()[3] == "interpolated"
    table = read_parquet(select(tmp_path, rows, times_s, cuts=[Cut(4)]))
    assert table["person"].to_pylist() == [0, 0, 0, None, None, None]
    # The same look: one person, but not at a place between those before and after the cut.
    table = read_parquet(select(tmp_path, rows, times_s, cuts=[Cut(4, [(3, 0, 5, 0)])]))
    assert table["person"].to_pylist() == [0, 0, 0, None, 0, 0]
    one = [1.0, 0.0]
    known = [(frame, BOX, one) for frame in (1, 2, 3, 5, 6)]
    assert read_parquet(select(tmp_path, known, times_s, cuts=[Cut(4)]))["person"].to_pylist() == [0, 0, 0, None, 0, 0]


def test_left_and_right(tmp_path):
    rows = [(frame, np.add(BOX, shift), None) for frame in (1, 2) for shift in (0, 200)]
    assert read_boxes(select(tmp_path, rows, [0, 0.1], person="left"))[1].tolist() == BOX
    assert read_boxes(select(tmp_path, rows, [0, 0.1], person="right"))[1][0] == 210


def test_no_faces_and_no_frames(tmp_path):
    assert read_parquet(select(tmp_path, [], [0, 0.1]))["status"].to_pylist() == ["absent", "absent"]
    empty = select(tmp_path, [], [])
    assert read_parquet(empty).num_rows == 0 and read_boxes(empty) == []


def test_overrides_win_in_their_frames_and_the_last_wins_over_the_first(tmp_path):
    rows = [(frame, np.add(BOX, shift), None) for frame in range(1, 7) for shift in (0, 200)]
    overrides = [
        {"from_frame": 2, "to_frame": 5, "person": "right"},
        {"from_frame": 4, "to_frame": 4, "person": "absent"},
        {"from_frame": 6, "to_frame": None, "person": "identity@3:205,220,245,250"},
    ]
    times_s = np.arange(6) / 10
    subject = select(tmp_path, rows, times_s, person="left", overrides=overrides)
    left = [None if box is None else int(box[0]) for box in read_boxes(subject)]
    assert left == [10, 210, 210, None, 210, 210]
    assert read_parquet(subject)["status"].to_pylist()[3] == "absent"
    assert read_provenance(subject)["settings"]["overrides"] == overrides
    too_late = [{"from_frame": 7, "to_frame": None, "person": "left"}]
    with pytest.raises(InputError, match="Track s, an override starts at frame 7, but the video has 6 frames"):
        select(tmp_path, rows, times_s, overrides=too_late)
    nobody = [{"from_frame": 1, "to_frame": None, "person": "identity@2:1,1,9,9"}]
    with pytest.raises(InputError, match="Track s, override identity@2:1,1,9,9: frame 2 has no face"):
        select(tmp_path, rows, times_s, overrides=nobody)


def test_overrides_of_a_skipped_video_do_nothing(tmp_path):
    subject = select(tmp_path, [], [], overrides=[{"from_frame": 1, "to_frame": 9, "person": "left"}])
    assert read_parquet(subject).num_rows == 0


def test_an_unknown_person_and_foreign_faces_are_refused(tmp_path):
    with pytest.raises(InputError, match="Track s, person identity@1:0,0,9,9: frame 1 has no face at 0,0,9,9"):
        select(tmp_path, [], [0], person="identity@1:0,0,9,9")
    with pytest.raises(InputError, match=r"f\.parquet has frames that .*t\.parquet lacks"):
        select(tmp_path, [(3, BOX, None)], [0, 0.1])
