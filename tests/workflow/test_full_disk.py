"""A run whose results are on a disk that fills up or becomes read-only: its message, and how it resumes."""

import shutil
import subprocess

import pytest

from tests.survival.same_bytes import remove_from

COMMAND = ("--cores", "2", "submission", "--configfile", "tests/configs/small.yaml")


@pytest.fixture
def on_own_disk(finished, checkout):
    """A checkout with the finished small run's results on a file system of their own."""
    project = checkout("disk")
    results = project.root / "results"
    results.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256m", "tmpfs", results], capture_output=True).returncode:
        pytest.skip("this user may not mount file systems here")
    try:
        for folder in ("results", ".snakemake"):
            shutil.copytree(finished.root / folder, project.root / folder, dirs_exist_ok=True)
        yield project
    finally:
        subprocess.run(["umount", "--lazy", results], check=True)


def test_a_full_or_read_only_disk_stops_a_run_which_resumes_once_that_is_fixed(finished, on_own_disk):
    project, expected = on_own_disk, finished.digests()
    results, filler = project.root / "results", project.root / "results/logs/filler"
    remove_from("fusion", results)

    def stopped():
        done = project.snakemake(*COMMAND)
        assert done.returncode == 1
        found = project.digests()
        assert found.items() <= expected.items()  # existing artifacts are complete
        assert len(found) < len(expected)
        return done.stdout

    with pytest.raises(OSError), filler.open("wb", buffering=0) as handle:
        while True:
            handle.write(bytes(4096))
    assert "no space is left on the disk (" in stopped()
    filler.unlink()
    subprocess.run(["mount", "-o", "remount,ro", results], check=True)
    assert "results is not writable; fix its permissions, or" in stopped()
    subprocess.run(["mount", "-o", "remount,rw", results], check=True)
    project.run(*COMMAND)
    assert project.differing(expected) == []
