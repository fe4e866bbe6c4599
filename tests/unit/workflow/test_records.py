"""Records of results, and what they do for copies."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from snakemake.exceptions import WorkflowError

from frame_expressions.workflow.records import check_times, record, restore

FILE, FOLDER = "results/fusion/official/model.safetensors", "results/crops/a"
STAMP = f"{FOLDER}/.snakemake_timestamp"


@pytest.fixture
def recorded(tmp_path, monkeypatch):
    """A recorded file and a recorded folder, written at 10 s and 20 s."""
    monkeypatch.chdir(tmp_path)
    for path in (FILE, f"{FOLDER}/1.parquet", STAMP):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(path.encode())
    _set(FILE, 10)
    _set(STAMP, 20)
    entry = Path(".snakemake/metadata/cmVzdWx0cy9jcm9wcy9h")  # FOLDER in base64
    entry.parent.mkdir(parents=True)
    entry.write_text("{}")
    record([FILE, FOLDER])
    return entry


def _set(path, seconds):
    os.utime(path, (seconds, seconds))


def _times():
    return Path(FILE).stat().st_mtime, Path(STAMP).stat().st_mtime


@pytest.mark.parametrize("seconds", [0, 5, 30, 9e9])
def test_unchanged_results_get_their_times_back(recorded, seconds):
    for path in (FILE, STAMP, f"{FOLDER}/1.parquet"):
        _set(path, seconds)
    restore()
    assert _times() == (10, 20)


def test_a_changed_result_is_new_even_if_it_is_older(recorded):
    for path in (FILE, f"{FOLDER}/1.parquet"):
        Path(path).write_bytes(b"other")
        _set(path, 5)
    restore()
    assert min(_times()) > 1e9


def test_results_of_a_run_that_is_at_work_are_left_alone(recorded):
    Path(".snakemake/locks").mkdir()
    Path(".snakemake/locks/0.output.lock").touch()
    _set(FILE, 30)
    restore()
    assert _times() == (30, 20)


def test_entries_that_were_left_behind_come_back_and_deleted_ones_do_not(recorded, capsys):
    recorded.with_name("another").touch()
    recorded.unlink()
    restore()
    assert not recorded.exists()
    Path(".snakemake").rename("elsewhere")
    restore()
    assert recorded.read_text() == "{}"
    assert "Warning" not in capsys.readouterr().err


def test_results_of_unknown_settings_have_a_warning(recorded, capsys):
    Path(".snakemake").rename("elsewhere")
    Path("results/records").rename("elsewhere/records")
    restore()
    assert "results/ came without .snakemake/ and without results/records/" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "[]", '{"results/x": 1}', '{"../outside": ["a", 1, ""]}'])
def test_records_that_are_damaged_or_name_other_files_change_nothing(recorded, text, tmp_path):
    outside = tmp_path.parent / "outside"
    outside.write_text("a")
    before = outside.stat().st_mtime_ns
    Path("results/records/content.json").write_text(text)
    _set(FILE, 30)
    restore()
    assert _times() == (30, 20) and outside.stat().st_mtime_ns == before


def test_a_file_from_the_future_stops_a_run_before_its_jobs(tmp_path):
    class Input(str):
        is_ancient = True

    path = tmp_path / "a.mp4"
    path.touch()
    dag = SimpleNamespace(needrun_jobs=lambda: [SimpleNamespace(input=[Input(path)])])
    check_times(dag)
    _set(path, 9e9)
    with pytest.raises(WorkflowError, match=r"a.mp4 is in the future.*touch"):
        check_times(dag)
