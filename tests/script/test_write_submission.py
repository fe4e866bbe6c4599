"""write_submission on tiny logits."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from frame_expressions.artifacts.parquet import write_parquet
from frame_expressions.artifacts.provenance import provenance_of
from frame_expressions.artifacts.text import write_json
from frame_expressions.runtime.errors import InputError
from workflow_scripts.write_submission import run

HEADER = "image_location,Neutral,Anger,Disgust,Fear,Happiness,Sadness,Surprise,Other\n"
CLASSES = {"a": [1, 1, 4, 1, 1, 2], "b": [4, 4, 4]}


def write_logits(path, classes, scale=1.0, imputed=None):
    values = [scale * np.eye(8, dtype=np.float32)[numbers] for numbers in classes.values()]
    table = pa.table(
        {
            "track": [track for track, numbers in classes.items() for _ in numbers],
            "frame": pa.array([k + 1 for numbers in classes.values() for k in range(len(numbers))], pa.int32()),
            "logits": pa.FixedSizeListArray.from_arrays(pa.array(np.concatenate(values).ravel()), 8),
            "imputed": imputed or [False] * sum(map(len, values)),
        }
    )
    write_parquet(table, path, provenance_of({}))
    return path


def write_timeline(path, num_frames, fps=30, **settings):
    table = pa.table({"time_s": np.arange(num_frames) / fps})
    write_parquet(table, path, provenance_of(settings))
    return path


@pytest.fixture
def submit(tmp_path):
    """Run write_submission on tracks a (6 frames), b (3 frames) and s (skipped); returns lines and check."""

    def call(rows, kind="none", window_frames=1, logits=None, tracks=("a", "b", "s"), fps=30, imputed="include"):
        template = rows if isinstance(rows, Path) else None
        if isinstance(rows, list):
            template = tmp_path / "template.txt"
            template.write_text(HEADER + "".join(f"{row},0\n" for row in rows))
        best = {"kind": kind, "window_frames": window_frames, "windows_at_fps": 30, "imputed": imputed}
        write_json(best | {"macro_f1": 0.5}, tmp_path / "best.json")
        timelines = {
            "a": write_timeline(tmp_path / "a.parquet", 6, fps),
            "b": write_timeline(tmp_path / "b.parquet", 3),
            "s": write_timeline(tmp_path / "s.parquet", 0, skipped="moov atom not found"),
        }
        run(
            logits=logits or [write_logits(tmp_path / "logits.parquet", CLASSES)],
            best=tmp_path / "best.json",
            template=template,
            timelines=[timelines[track] for track in tracks],
            tracks=list(tracks),
            predictions=tmp_path / "out" / "predictions.txt",
            check=tmp_path / "out" / "check.json",
        )
        text = (tmp_path / "out" / "predictions.txt").read_text()
        assert text.startswith(HEADER)
        return text.splitlines()[1:], json.loads((tmp_path / "out" / "check.json").read_text())

    return call


def rows_of(track, count):
    return [f"{track}/{k:05d}.jpg" for k in range(1, count + 1)]


def test_template_order_one_row_more_one_less_and_a_skipped_video(submit, tmp_path):
    lines, check = submit(rows_of("b", 4) + rows_of("s", 2) + rows_of("a", 5))
    # Class 1 comes four times in a's five rows, class 4 once there and four times in b's: 4 is the most frequent.
    assert lines == [
        *(f"{row},4" for row in rows_of("b", 4)),
        *(f"{row},4" for row in rows_of("s", 2)),
        *(f"{row},{number}" for row, number in zip(rows_of("a", 5), [1, 1, 4, 1, 1], strict=True)),
    ]
    assert check["rows"] == 11 and check["tracks"] == 3
    assert {name: count for name, count in check["class_counts"].items() if count} == {"Anger": 4, "Happiness": 7}
    assert check["row_differences"] == {"a": -1, "b": 1}
    assert check["skipped"] == {"s": "moov atom not found"}
    content = (tmp_path / "out" / "predictions.txt").read_bytes()
    assert check["predictions_sha256"] == hashlib.sha256(content).hexdigest()


def test_an_unusual_difference_reaches_the_check_file_and_the_log(tmp_path, caplog):
    logits = write_logits(tmp_path / "long.parquet", {"l": [2] * 96})
    write_timeline(tmp_path / "l.parquet", 96)
    best = {"kind": "none", "window_frames": 1, "windows_at_fps": None, "imputed": "include", "macro_f1": 0.5}
    write_json(best, tmp_path / "best.json")
    (tmp_path / "template.txt").write_text("".join(f"{row},0\n" for row in rows_of("l", 100)))
    out = tmp_path / "predictions.txt", tmp_path / "check.json"
    run(
        logits=[logits],
        best=tmp_path / "best.json",
        template=tmp_path / "template.txt",
        timelines=[tmp_path / "l.parquet"],
        tracks=["l"],
        predictions=out[0],
        check=out[1],
    )
    assert json.loads(out[1].read_text())["row_differences"] == {"l": 4}
    assert "l: 100 rows, but 96 decoded frames" in [record.getMessage() for record in caplog.records]


def test_a_folder_of_track_files_is_a_template(submit, tmp_path):
    lines, check = submit(rows_of("b", 4) + rows_of("a", 5))
    folder = tmp_path / "Test_Set"
    folder.mkdir()
    for track, count in {"a": 5, "b": 4}.items():
        (folder / f"{track}.txt").write_text(HEADER.removeprefix("image_location,") + "-1\n" * count)
    of_folder, check_of_folder = submit(folder)
    assert of_folder == lines[4:] + lines[:4]
    assert check_of_folder["row_differences"] == check["row_differences"] == {"a": -1, "b": 1}


def test_smoothing_is_applied_within_each_track(submit):
    lines, _ = submit(rows_of("a", 6) + rows_of("b", 3) + rows_of("s", 1), kind="median", window_frames=3)
    assert [line[-1] for line in lines] == ["1", "1", "1", "1", "1", "2", "4", "4", "4", "1"]


def test_imputed_frames_are_left_out_where_the_setting_says_so(submit, tmp_path):
    # Of a (1 1 4 1 1 2), frames 1, 2 and 4 do not count. The window of frame 1 holds none that does: it takes frame 3.
    imputed = [True, True, False, True, False, False, False, False, False]
    logits = write_logits(tmp_path / "one.parquet", CLASSES, imputed=imputed)
    settings = {"kind": "median", "window_frames": 3, "logits": [logits]}
    lines, _ = submit(rows_of("a", 6), **settings, imputed="exclude")
    assert [line[-1] for line in lines] == ["4", "4", "4", "1", "1", "2"]
    lines, _ = submit(rows_of("a", 6), **settings)
    assert [line[-1] for line in lines] == ["1", "1", "1", "1", "1", "2"]


def test_a_window_lasts_as_long_at_any_frame_rate(submit):
    rows = rows_of("a", 6) + rows_of("b", 3) + rows_of("s", 1)
    at_30, _ = submit(rows, kind="median", window_frames=3)
    at_10, _ = submit(rows, kind="median", window_frames=9, fps=10)
    unsmoothed, _ = submit(rows)
    assert at_10[:6] == at_30[:6] != unsmoothed[:6]


def test_template_rows_in_any_order_take_their_own_frame(submit):
    lines, _ = submit(["a/00006.jpg", "b/00001.jpg", "a/00003.jpg", "a/00001.jpg"])
    assert lines == ["a/00006.jpg,2", "b/00001.jpg,4", "a/00003.jpg,4", "a/00001.jpg,1"]


def test_without_a_template_every_decoded_frame_gets_a_row(submit):
    lines, check = submit(None)
    assert [line.split(",")[0] for line in lines] == rows_of("a", 6) + rows_of("b", 3)
    assert check["row_differences"] == {} and list(check["skipped"]) == ["s"]


def test_folds_are_averaged_before_smoothing(submit, tmp_path):
    other = {"a": [3] * 6, "b": [5] * 3}
    folds = [write_logits(tmp_path / "one.parquet", CLASSES), write_logits(tmp_path / "two.parquet", other, 1.5)]
    lines, _ = submit(rows_of("a", 6), logits=folds)
    assert [line[-1] for line in lines] == ["3"] * 6
    folds.append(write_logits(tmp_path / "three.parquet", CLASSES))
    lines, _ = submit(rows_of("a", 6), logits=folds)
    assert [line[-1] for line in lines] == ["1", "1", "4", "1", "1", "2"]


def test_only_skipped_videos_give_neutral(submit, tmp_path):
    lines, _ = submit(rows_of("s", 2), tracks=["s"])
    assert lines == ["s/00001.jpg,0", "s/00002.jpg,0"]
    with pytest.raises(InputError, match="No test track has a frame"):
        submit(None, tracks=["s"])


def test_what_does_not_belong_together_is_refused(submit, tmp_path):
    with pytest.raises(InputError, match="asks for z, which is not a test track"):
        submit(["z/00001.jpg"])
    with pytest.raises(InputError, match="a has 10 rows but its video has 6 frames"):
        submit(rows_of("a", 10))
    short = write_logits(tmp_path / "short.parquet", {"a": [1] * 5, "b": [1] * 3})
    with pytest.raises(InputError, match=r"a\.parquet has 6 frames, but .*short\.parquet has 5 for a"):
        submit(rows_of("a", 6), logits=[short])
    full = write_logits(tmp_path / "full.parquet", CLASSES)
    with pytest.raises(InputError, match="hold different frames"):
        submit(rows_of("a", 6), logits=[full, short])


def test_same_input_gives_the_same_bytes(submit, tmp_path):
    rows = rows_of("a", 6) + rows_of("b", 3)
    submit(rows)
    first = [(tmp_path / "out" / name).read_bytes() for name in ("predictions.txt", "check.json")]
    submit(rows)
    assert [(tmp_path / "out" / name).read_bytes() for name in ("predictions.txt", "check.json")] == first
    assert str(tmp_path).encode() not in b"".join(first)
