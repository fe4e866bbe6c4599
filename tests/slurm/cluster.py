"""The Slurm that up.sh starts, as seen and disturbed by tests."""

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

HERE = Path(__file__).parent
DAEMONS = ("munged", "slurmctld", "slurmd", "slurmdbd", "slurmstepd", "mariadbd")
COLUMNS = ("jobid", "comment", "partition", "nodelist", "alloctres", "state", "elapsed")


@dataclass(frozen=True)
class Job:
    """A job in Slurm's queue. `what` names its rule or group, `node` is empty while it waits."""

    number: str
    what: str
    partition: str
    node: str
    state: str


@contextmanager
def slurm(folder: Path) -> Iterator[None]:
    """Start Slurm in `folder`, and stop it again whatever happens."""
    try:
        subprocess.run([HERE / "up.sh", folder], check=True)
        yield
    finally:
        subprocess.run([HERE / "down.sh", folder], check=True)


def queue() -> list[Job]:
    """Pending and running jobs."""
    lines = _said("squeue", "-h", "-o", "%i|%k|%P|%N|%T").splitlines()
    return [Job(*line.split("|")) for line in lines]


def records() -> list[list[str]]:
    """Every run of every job, including retries by Slurm or Snakemake; the columns are COLUMNS."""
    lines = _said("sacct", "-X", "-D", "-n", "-P", "-o", ",".join(COLUMNS)).splitlines()
    return [line.split("|") for line in lines]


def when_running(what: str, node: str = "", seconds: float = 240) -> Job:
    """Wait until a job of that rule or group runs, on that node if one is given, and return it."""

    def running() -> Job | None:
        jobs = (job for job in queue() if job.state == "RUNNING" and what in job.what)
        return next((job for job in jobs if job.node == node or not node), None)

    return until(running, f"{what} runs", seconds)


def until(found: Callable[[], object], what: str, seconds: float):
    """Poll until a condition returns something true, and return it; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (thing := found()):
        if time.monotonic() > deadline:
            raise AssertionError(f"after {seconds} s it is still not true that {what}")
        time.sleep(0.2)
    return thing


def cancel(job: Job) -> None:
    _said("scancel", job.number)


def start_now(job: Job) -> None:
    """Let a job that Slurm has requeued start without delay."""
    _said("scontrol", "update", f"jobid={job.number}", "starttime=now")


def set_node(name: str, state: str) -> None:
    """state: drain, down or resume."""
    _said("scontrol", "update", f"nodename={name}", f"state={state}", "reason=test")


def hang(job: Job) -> None:
    """Stop a job's processes, so that it exceeds its time limit."""

    def started() -> list[psutil.Process]:
        return [process for process in psutil.process_iter(["cmdline"]) if _is_script_of(process, job)]

    for process in until(started, f"{job.what} has started its script", 60):
        process.send_signal(signal.SIGSTOP)


def leftovers() -> list[str]:
    """Slurm daemons that are still running."""
    return [process.info["name"] for process in psutil.process_iter(["name"]) if process.info["name"] in DAEMONS]


def _is_script_of(process: psutil.Process, job: Job) -> bool:
    line = " ".join(process.info["cmdline"] or [])
    return ".snakemake/scripts/" in line and job.what.removeprefix("rule_").split("_wildcards_")[0] in line


def _said(*command: str) -> str:
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
