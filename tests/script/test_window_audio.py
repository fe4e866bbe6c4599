"""window_audio on recordings made by hand."""

import json

import numpy as np
import pyarrow as pa
import pytest

from frame_expressions.artifacts.parquet import read_parquet, read_provenance, write_parquet
from frame_expressions.artifacts.provenance import provenance_of
from frame_expressions.artifacts.schemas import TIMELINE
from frame_expressions.media.audio import write_audio
from frame_expressions.media.clock import UNSHIFTED
from workflow_scripts.window_audio import run


def window(tmp_path, samples, state, times_s, window_centre="start", last_s=None):
    rows = [
        {"frame": frame, "time_s": time_s, "decoded": True, "width_px": 9, "height_px": 9}
        for frame, time_s in enumerate(times_s, start=1)
    ]
    clock = {"clock": json.dumps({"start_s": 0.0, "clock": UNSHIFTED.as_dict(), "last_s": last_s})}
    write_parquet(pa.Table.from_pylist(rows, schema=TIMELINE), tmp_path / "t.parquet", provenance_of({}), clock)
    write_audio(np.array(samples, np.int16), state, tmp_path / "a.flac", provenance_of({}))
    paths = {
        "audio": tmp_path / "a.flac",
        "timeline": tmp_path / "t.parquet",
        "windows": tmp_path / "w.parquet",
    }
    run(**paths, half_width_s=0.5, window_centre=window_centre)
    return read_parquet(tmp_path / "w.parquet")


def test_windows_follow_the_times_of_the_frames(tmp_path):
    samples = np.zeros(32000, np.int16)
    samples[:100] = 1
    table = window(tmp_path, samples, "audible", [0, 0.25, 1.5])
    assert table.schema.names == ["frame", "start_sample", "end_sample", "inside_share", "audible"]
    assert table["frame"].to_pylist() == [1, 2, 3]
    assert table["start_sample"].to_pylist() == [-8000, -4000, 16000]
    assert table["end_sample"].to_pylist() == [8000, 12000, 32000]
    assert table["inside_share"].to_pylist() == pytest.approx([0.5, 0.75, 1])
    assert table["audible"].to_pylist() == [True, True, False]
    assert read_provenance(tmp_path / "w.parquet")["settings"] == {"half_width_s": 0.5, "window_centre": "start"}


def test_windows_are_centred_on_the_middle_of_each_frame(tmp_path):
    table = window(tmp_path, [1] * 32000, "audible", [0, 0.25, 1.5], "middle", last_s=0.5)
    assert table["start_sample"].to_pylist() == [-6000, 6000, 20000]  # 0.125, 0.875 and 1.75 s, less 0.5
    assert table["end_sample"].to_pylist() == [10000, 22000, 36000]
    table = window(tmp_path, [1] * 32000, "audible", [0, 0.25, 1.5], "middle")
    assert table["end_sample"].to_pylist()[2] == 38000  # 1.5 s, half the median interval of 0.75 s, and 0.5 s


@pytest.mark.parametrize("state", ["silent", "no_audio"])
def test_silent_or_missing_audio_has_no_audible_window_whatever_the_samples(tmp_path, state):
    assert window(tmp_path, [1] * 16000, state, [0.5])["audible"].to_pylist() == [False]


def test_no_frames(tmp_path):
    table = window(tmp_path, [0], "no_audio", [])
    assert table.num_rows == 0 and str(table.schema.field("audible").type) == "bool"
