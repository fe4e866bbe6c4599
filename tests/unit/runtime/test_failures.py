"""Real limits of the machine: one sentence, nothing half written, and the same job passes once the limit is lifted."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

WRITERS = {
    "parquet": """
        import pyarrow as pa
        from frame_expressions.artifacts.parquet import write_parquet
        write_parquet(pa.table({"noise": noise}), folder / "artifact.parquet", {})
        """,
    "features": """
        import pyarrow as pa
        from frame_expressions.artifacts.feature_shards import write_shard
        columns, schema = {"track": ["a"] * len(noise)}, pa.schema([("track", pa.string()), ("row", pa.int32())])
        write_shard(folder / "artifact.npy", folder / "index.parquet", noise[:, None], schema, columns, {})
        """,
    "audio": """
        from frame_expressions.media.audio import write_audio
        write_audio(noise.astype(np.int16) * 100, "audible", folder / "artifact.flac", {})
        """,
    "checkpoint": """
        import torch
        from frame_expressions.artifacts.atomic import atomic_write
        with atomic_write(folder / "artifact.pt") as temporary:
            torch.save({"noise": torch.from_numpy(noise)}, temporary)
        """,
}
JOB = """
import sys
from pathlib import Path
import numpy as np
from frame_expressions.runtime.job import log_to
folder = Path(sys.argv[1])
with log_to(sys.argv[2], on_little_memory="lower a.batch_size"):
    noise = np.random.default_rng(0).integers(0, 255, 600_000, np.uint8)
    if True:{body}
"""


def _run(body, folder, log, **options):
    command = [sys.executable, "-c", JOB.format(body=body), str(folder), str(log)]
    # Unbuffered, what a log does not take is lost at once; else it is tried again when the process ends.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, **options)


def _sentence(done):
    assert done.returncode == 1
    assert done.stderr.startswith("Error: ") and done.stderr.count("\n") == 1, done.stderr
    return done.stderr


@pytest.fixture
def disk(tmp_path):
    """A file system of its own, and a way to mount it anew with other options."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("this user may not mount file systems here")

    def remount(options):
        subprocess.run(["mount", "-o", f"remount,{options}", folder], check=True)

    try:
        yield folder, remount
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.parametrize("writer", WRITERS)
def test_a_full_disk(disk, writer):
    folder, remount = disk
    done = _run(WRITERS[writer], folder, folder / "logs/job.log")
    assert "no space is left on the disk (" in _sentence(done) and "free some, or make results/ a link" in done.stderr
    assert [path.name for path in folder.iterdir()] == ["logs"]
    remount("size=8m")
    assert _run(WRITERS[writer], folder, folder / "logs/job.log").returncode == 0
    assert any(path.name.startswith("artifact") for path in folder.iterdir())


def test_a_disk_that_stays_full_and_holds_the_log_too(disk):
    folder, _ = disk
    body = """
        with (folder / "filler").open("wb", buffering=0) as filler:
            while True:
                filler.write(bytes(1024))
        """
    done = _run(body, folder, folder / "logs/job.log")
    assert "no space is left on the disk (" in _sentence(done)


def test_read_only_results(disk, tmp_path):
    folder, remount = disk
    remount("ro")
    done = _run(WRITERS["parquet"], folder, tmp_path / "job.log")
    assert "a file cannot be read or written ([Errno 30] Read-only" in _sentence(done)
    done = _run(WRITERS["parquet"], folder, folder / "logs/job.log")
    assert "a file cannot be read or written ([Errno 30] Read-only" in _sentence(done)
    remount("rw,size=8m")
    assert _run(WRITERS["parquet"], folder, folder / "logs/job.log").returncode == 0


def test_a_log_in_a_place_where_none_can_be(tmp_path):
    (tmp_path / "logs").write_text("a file, not a folder")
    sentence = _sentence(_run(WRITERS["parquet"], tmp_path, tmp_path / "logs/job.log"))
    assert f"the log {tmp_path}/logs/job.log cannot be written (" in sentence
    assert not (tmp_path / "artifact.parquet").exists()


def test_too_few_file_handles_do_not_pass_for_a_damaged_file(tmp_path):
    body = """
        import os, resource
        import pyarrow as pa
        from frame_expressions.artifacts.parquet import read_parquet, write_parquet
        write_parquet(pa.table({"noise": noise}), folder / "artifact.parquet", {})
        read_parquet(folder / "artifact.parquet")
        resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))
        taken = [os.dup(0) for _ in range(16 - len(os.listdir("/proc/self/fd")) + 1)]
        read_parquet(folder / "artifact.parquet")
        """
    sentence = _sentence(_run(body, tmp_path, tmp_path / "job.log"))
    assert "the open-file limit is too low (" in sentence and "run `ulimit -n 4096`" in sentence
    assert "delete it" not in sentence and (tmp_path / "artifact.parquet").is_file()


@pytest.mark.parametrize("body", ["np.zeros(2**31)", "import pyarrow as pa; pa.allocate_buffer(2**33)"])
def test_a_job_over_its_memory(tmp_path, body):
    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31))

    done = _run(f"\n        {body}", tmp_path, tmp_path / "job.log", preexec_fn=limit)
    assert "out of memory (" in _sentence(done) and done.stderr.endswith("; lower a.batch_size.\n")
    assert "Traceback" not in Path(tmp_path / "job.log").read_text()
