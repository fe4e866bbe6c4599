import os

import pytest

from frame_expressions.artifacts.atomic import atomic_write, atomic_write_folder
from frame_expressions.artifacts.text import write_text


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
