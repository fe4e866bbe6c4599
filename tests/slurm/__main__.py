"""Run the small demonstration through a real Slurm that loses jobs, and compare its bytes with a local run's.

    python -m tests.slurm        as root on Debian or Ubuntu, with requirements-slurm.txt installed; `make test-cluster`

Snakemake runs with profiles/slurm. Meanwhile one job is cancelled, one runs out of memory, one exceeds its time limit,
one loses its node, and another node is drained. Every job must be retried. Then one setting is changed and the run is
repeated.
"""

import filecmp
import signal
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import yaml

from tests.project import Project
from tests.slurm import cluster

SMALL = ("--configfile", "tests/configs/small.yaml", "tests/slurm/gpu.yaml")
SLURM = ("--workflow-profile", "profiles/slurm", "--cores", "2", "--slurm-init-seconds-before-status-checks", "2")
# Megabytes and minutes; too little at first, so these two jobs are retried with more.
SCARCE = {"make_demo_images": {"mem_mb": "60+1500*(attempt-1)"}, "make_demo_videos": {"runtime": "attempt"}}
SUBMISSION = Path("results/submission/predictions.txt")
RULES_WITH_GPU = ("train_stage1", "dump_visual_features", "dump_audio_features", "train_fusion")


def main() -> int:
    """Run everything and print what happened; returns 0 if every expectation was met."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # then Slurm is also shut down
    with tempfile.TemporaryDirectory(prefix="slurm-") as temporary:
        folder = Path(temporary)
        folder.chmod(0o755)  # the database runs as a user of its own
        local, remote = (Project.copied_to(folder / name) for name in ("local", "remote"))
        started = time.monotonic()

        def print_result(text: str) -> None:
            print(f"[{time.monotonic() - started:4.0f} s] {text}", flush=True)

        local.run("--cores", "2", "submission", *SMALL)
        print_result("the local run has ended")
        with cluster.slurm(folder / "slurm"):
            print_result("Slurm is up")
            _disturbed_run(remote, print_result)
            print_result(f"the run through Slurm has ended: {len(cluster.records())} jobs")
            _changed_run(remote, print_result)
            records = cluster.records()
        print_result("Slurm is down")
        _show(records)
        failures = _failures(records, filecmp.cmp(local.root / SUBMISSION, remote.root / SUBMISSION, shallow=False))
    for failure in failures:
        print(f"FAILED: {failure}")
    print("Everything held." if not failures else f"{len(failures)} of the expectations failed.")
    return bool(failures)


def _disturbed_run(project: Project, print_result) -> None:
    profile = project.root / "profiles/slurm/config.yaml"
    settings = yaml.safe_load(profile.read_text())
    settings["set-resources"] |= SCARCE  # given on the command line, they would replace the profile's
    profile.write_text(yaml.safe_dump(settings))
    log = project.root / "snakemake.log"
    with log.open("w") as output:
        run = project.start("submission", *SMALL, *SLURM, stdout=output)
        threads = ThreadPoolExecutor(len(DISTURBANCES))
        try:
            disturbed = [threads.submit(disturb, print_result) for disturb in DISTURBANCES]
            assert run.wait() == 0, log.read_text()[-6000:]
            for each in disturbed:
                each.result()
        finally:
            run.kill()
            threads.shutdown(wait=False, cancel_futures=True)


def _hang_videos(print_result) -> None:
    job = cluster.when_running("make_demo_videos")
    cluster.hang(job)
    print_result(f"job {job.number}, {job.what}: stopped, so that it runs into its limit of a minute")


def _cancel(print_result) -> None:
    job = cluster.when_running("train_stage1")
    cluster.cancel(job)
    print_result(f"job {job.number}, {job.what}: cancelled")


def _drain_node(print_result) -> None:
    job = cluster.when_running("make_demo_images")
    cluster.set_node(job.node, "drain")
    print_result(f"{job.node} is drained")
    cluster.until(lambda: not any(other.node == job.node for other in cluster.queue()), "its jobs have ended", 120)
    cluster.set_node(job.node, "resume")
    print_result(f"{job.node} accepts jobs again")


def _lose_node(print_result) -> None:
    job = cluster.when_running("media", node="n2")
    cluster.set_node("n2", "down")
    print_result(f"job {job.number}, {job.what}: its node n2 goes down")
    waiting = replace(job, node="", state="PENDING")
    cluster.until(lambda: waiting in cluster.queue(), "it waits again", 60)
    cluster.set_node("n2", "resume")
    time.sleep(3)  # any sooner, and the node would confuse it with the job that it has just ended
    cluster.start_now(job)  # Slurm would make it wait for two minutes


DISTURBANCES = (_hang_videos, _cancel, _drain_node, _lose_node)


def _changed_run(project: Project, print_result) -> None:
    before = len(cluster.records())
    windows = project.root / "tests/slurm/windows.yaml"
    windows.write_text("smoothing:\n  windows: [3, 5]\n")
    project.run("submission", *SMALL, str(windows.relative_to(project.root)), *SLURM)
    print_result(f"other smoothing windows: {len(cluster.records()) - before} job more")


def _show(records: list[list[str]]) -> None:
    widths = [max(len(row[column]) for row in [cluster.COLUMNS, *records]) for column in range(len(cluster.COLUMNS))]
    for row in [cluster.COLUMNS, *records]:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def _failures(records: list[list[str]], is_equal: bool) -> list[str]:
    """One sentence for each expectation that was not met."""
    rows = [dict(zip(cluster.COLUMNS, row, strict=True)) for row in records]
    states = {state: [row["comment"] for row in rows if row["state"].startswith(state)] for state in _STATES}

    def once(state: str, what: str) -> bool:
        return any(what in comment for comment in states[state])

    expected = {
        "the submission has the bytes of the local run's": is_equal,
        "a cancelled job is retried": once("CANCELLED", "train_stage1"),
        # Slurm reports OUT_OF_MEMORY only if cgroups do.
        "a job out of memory is retried with more": once("FAILED", "make_demo_images"),
        "a job over its time limit is retried with more": once("TIMEOUT", "make_demo_videos"),
        "the job of a lost node is retried": once("NODE_FAIL", "media"),
        "jobs with a GPU run in its partition, and no other does": all(
            (row["partition"] == "gpu") == any(rule in row["comment"] for rule in RULES_WITH_GPU) for row in rows
        ),
        "they get a GPU": all("gres/gpu=1" in row["alloctres"] for row in rows if row["partition"] == "gpu"),
        "short jobs are grouped": all(
            row["comment"].startswith("rule_media_") for row in rows if "extract_frames" in row["comment"]
        ),
        "no daemon is left": not cluster.leftovers(),
    }
    return [sentence for sentence, contains in expected.items() if not contains]


_STATES = ("COMPLETED", "CANCELLED", "FAILED", "TIMEOUT", "NODE_FAIL")


if __name__ == "__main__":
    sys.exit(main())
