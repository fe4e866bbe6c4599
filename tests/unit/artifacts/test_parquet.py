import json
import os

import pyarrow as pa
import pytest

from frame_expressions.artifacts.atomic import atomic_write, atomic_write_folder
from frame_expressions.artifacts.parquet import read_parquet, read_provenance, write_parquet
from frame_expressions.artifacts.provenance import provenance_of, sha256_of
from frame_expressions.artifacts.text import write_json, write_text
from frame_expressions.runtime.errors import InputError


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "table.txt"
    write_text("old", target)
    with pytest.raises(RuntimeError), atomic_write(target) as temporary:
        temporary.write_text("half of the new")
        raise RuntimeError("killed")
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["table.txt"]


def test_content_and_name_are_on_the_disk_before_a_file_counts_as_written(tmp_path, monkeypatch):
    flushed = []
    monkeypatch.setattr(os, "fsync", lambda handle: flushed.append((os.fstat(handle).st_ino, path.exists())))
    path = tmp_path / "table.txt"
    write_text("new", path)
    assert flushed == [(path.stat().st_ino, False), (tmp_path.stat().st_ino, True)]


@pytest.mark.parametrize("name", ["table.txt", "a[1]*.txt"])
def test_what_killed_processes_left_behind_goes_with_the_next_try(tmp_path, name):
    for left in (f".{name}.4000000.partial", f".{name}.1.partial"):
        (tmp_path / left).write_text("half")
    (tmp_path / f".{name}.csv.1.partial").write_text("another file's")
    write_text("new", tmp_path / name)
    assert {path.name for path in tmp_path.iterdir()} == {name, f".{name}.csv.1.partial"}


def test_a_process_that_outlives_its_run_does_not_write_into_the_next_one(tmp_path, monkeypatch):
    path = tmp_path / "table.txt"
    with pytest.raises(FileNotFoundError), atomic_write(path) as temporary:
        temporary.write_text("late")
        monkeypatch.setattr(os, "getpid", lambda: 4_000_000)  # the next run's process
        write_text("of the next run", path)
    assert path.read_text() == "of the next run"


def test_a_folder_is_filled_whole_or_not_at_all(tmp_path):
    folder = tmp_path / "encoder"
    (folder / ".files.4000000.partial").mkdir(parents=True)
    (folder / ".files.4000000.partial/weights").write_text("half")
    (folder / "config").write_text("old")
    with pytest.raises(RuntimeError), atomic_write_folder(folder) as temporary:
        (temporary / "config").write_text("new")
        raise RuntimeError("killed")
    assert [(path.name, path.read_text()) for path in folder.iterdir()] == [("config", "old")]
    with atomic_write_folder(folder) as temporary:
        (temporary / "config").write_text("new")
        (temporary / "weights").write_text("new")
    assert {path.name: path.read_text() for path in folder.iterdir()} == {"config": "new", "weights": "new"}


def test_a_private_file_becomes_one_that_a_group_can_read(tmp_path):
    with atomic_write(tmp_path / "weights") as temporary:
        temporary.write_bytes(b"x")
        temporary.chmod(0o600)
    plain = tmp_path / "plain"
    plain.write_bytes(b"x")
    assert (tmp_path / "weights").stat().st_mode == plain.stat().st_mode


def test_a_parquet_file_says_what_made_it_without_paths(tmp_path):
    source = tmp_path / "source.txt"
    source.write_text("abc")
    write_parquet(pa.table({"x": [1, 2]}), tmp_path / "a" / "t.parquet", provenance_of({"scale": 1.2}, [source]))
    stored = read_provenance(tmp_path / "a" / "t.parquet")
    abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert stored == {"settings": {"scale": 1.2}, "inputs": {"source.txt": abc}}
    assert read_parquet(tmp_path / "a" / "t.parquet").to_pydict() == {"x": [1, 2]}


def test_inputs_of_one_name_are_told_apart_by_their_folder(tmp_path):
    for modality in ("visual", "audio"):
        write_text(modality, tmp_path / modality / "train-000.npy")
    found = provenance_of({}, [tmp_path / "visual" / "train-000.npy", tmp_path / "audio" / "train-000.npy"])["inputs"]
    assert list(found) == ["visual/train-000.npy", "audio/train-000.npy"] and len(set(found.values())) == 2


def test_the_same_content_gives_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        write_parquet(pa.table({"x": ["a"]}), tmp_path / name / "t.parquet", provenance_of({}))
    assert sha256_of(tmp_path / "one" / "t.parquet") == sha256_of(tmp_path / "two" / "t.parquet")


def test_damaged_and_foreign_files_are_named(tmp_path):
    write_parquet(pa.table({"x": [1] * 1000}), tmp_path / "t.parquet", provenance_of({}))
    cut = tmp_path / "cut.parquet"
    cut.write_bytes((tmp_path / "t.parquet").read_bytes()[:-20])
    with pytest.raises(InputError, match=r"cut\.parquet cannot be read as Parquet"):
        read_parquet(cut)
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"x": [1]}), tmp_path / "foreign.parquet")
    with pytest.raises(InputError, match=r"foreign\.parquet does not say what made it"):
        read_provenance(tmp_path / "foreign.parquet")


def test_json_has_no_nan(tmp_path):
    write_json({"b": 1, "a": [2]}, tmp_path / "x.json")
    assert json.loads((tmp_path / "x.json").read_text()) == {"a": [2], "b": 1}
    with pytest.raises(ValueError, match="JSON"):
        write_json({"a": float("nan")}, tmp_path / "y.json")
    assert not (tmp_path / "y.json").exists()
