"""window_audio on recordings made by hand."""

import numpy as np
import pyarrow as pa
import pytest

from frame_expressions.artifacts.parquet import read_parquet, read_provenance, write_parquet
from frame_expressions.artifacts.provenance import provenance_of
from frame_expressions.artifacts.schemas import TIMELINE
from frame_expressions.media.audio import write_audio
from workflow_scripts.window_audio import run


def window(tmp_path, samples, state, times_s):
    rows = [
        {"frame": frame, "time_s": time_s, "decoded": True, "width_px": 9, "height_px": 9}
        for frame, time_s in enumerate(times_s, start=1)
    ]
    write_parquet(pa.Table.from_pylist(rows, schema=TIMELINE), tmp_path / "t.parquet", provenance_of({}))
    write_audio(np.array(samples, np.int16), state, tmp_path / "a.flac", provenance_of({}))
    paths = {
        "audio": tmp_path / "a.flac",
        "timeline": tmp_path / "t.parquet",
        "windows": tmp_path / "w.parquet",
    }
    run(**paths, half_width_s=0.5)
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
    assert read_provenance(tmp_path / "w.parquet")["settings"] == {"half_width_s": 0.5}


@pytest.mark.parametrize("state", ["silent", "no_audio"])
def test_silent_or_missing_audio_has_no_audible_window_whatever_the_samples(tmp_path, state):
    assert window(tmp_path, [1] * 16000, state, [0.5])["audible"].to_pylist() == [False]


def test_no_frames(tmp_path):
    table = window(tmp_path, [0], "no_audio", [])
    assert table.num_rows == 0 and str(table.schema.field("audible").type) == "bool"
