"""Runs killed at random moments: does the same command go on, and are the bytes those of an undisturbed run?

    python -m tests.survival.kills --kills 30 --seed 0

First the demonstration runs undisturbed. Each trial then starts it from nothing in a folder of its own, kills every
process of it with SIGKILL at a moment drawn evenly from the time that it took, and goes on as README.md says:
`snakemake --unlock` and the same command again. Every artifact must then be that of the undisturbed run. The outcome
is printed and becomes the section "kills" of results/survival.json; a trial that differs leaves its folder.
"""

import argparse
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import psutil

from tests.conftest import ROOT
from tests.project import Project
from tests.survival.record import record

SMALL = "tests/configs/small.yaml"
PREDICTIONS = "submission/predictions.txt"


@dataclass(frozen=True)
class Trial:
    """What became of one run that was killed.

    rules: those that were at work when it was killed, with their number of jobs. outlived: processes that were still
    there afterwards. failure: the last words of a command that failed; empty if none did. differing: artifacts whose
    bytes are not those of the undisturbed run, with those that only one of the two has.
    """

    killed_after_s: float
    rules: dict[str, int]
    jobs_done: int
    rerun_s: float
    outlived: list[str]
    failure: str
    differing: list[str]

    @property
    def identical(self) -> bool:
        return not (self.outlived or self.failure or self.differing)


def kill_and_rerun(
    project: Project, command: tuple[str, ...], after_s: float, expected: dict[str, str]
) -> Trial | None:
    """Start `command` in a fresh project, kill it `after_s` seconds later and go on; None if it had ended by then.

    expected: the digests of an undisturbed run.
    """
    log = project.root / "killed.log"
    with log.open("w") as output:
        run = project.start(*command, stdout=output, start_new_session=True)
        with contextlib.suppress(subprocess.TimeoutExpired):
            run.wait(after_s)
            return None
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
    outlived = processes_in(project.root)
    rules, jobs_done = jobs_in(log.read_text())
    started = time.monotonic()
    failure = ""
    for arguments in (("--unlock",), command):
        done = project.snakemake(*arguments)
        if done.returncode != 0:
            failure = f"{' '.join(arguments)}: {done.stdout[-2000:]}"
            break
    rerun_s = time.monotonic() - started
    differing = project.differing(expected)
    return Trial(round(after_s, 1), rules, jobs_done, round(rerun_s, 1), outlived, failure, differing)


def processes_in(root: Path, patience_s: float = 5) -> list[str]:
    """Command lines of the processes that still work in a folder, once they have had a moment to go."""
    deadline = time.monotonic() + patience_s
    while (found := list(_working_in(root))) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


def _working_in(root: Path) -> Iterator[str]:
    for process in psutil.process_iter():
        # They may end meanwhile, belong to others, or wait as zombies for a parent that never asks.
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            if Path(process.cwd()).is_relative_to(root):
                yield " ".join(process.cmdline())


def jobs_in(text: str) -> tuple[dict[str, int], int]:
    """Rules of the jobs that Snakemake's output says have begun and not ended, and how many have ended."""
    lines = r"^(?:local)?rule (\w+):\n(?:    .*\n)*?    jobid: (\d+)$"
    begun = {number: rule for rule, number in re.findall(lines, text, re.MULTILINE)}
    ended = set(re.findall(r"^Finished jobid: (\d+)", text, re.MULTILINE))
    return dict(Counter(rule for number, rule in begun.items() if number not in ended)), len(ended)


def main(arguments: list[str] | None = None) -> int:
    """Run the trials, print and record them; 1 if any differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=30, help="how many runs are killed (default 30)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (default 0)")
    parser.add_argument("--cores", default="2", help="given to Snakemake (default 2)")
    parser.add_argument("--configfile", nargs="+", default=[SMALL], help=f"of the runs (default {SMALL})")
    options = parser.parse_args(arguments)
    command = ("--cores", options.cores, "submission", "--configfile", *options.configfile)

    folder = Path(tempfile.mkdtemp(prefix="kills-"))
    undisturbed = Project.copied_to(folder / "undisturbed")
    started = time.monotonic()
    undisturbed.run(*command)
    length_s = time.monotonic() - started
    expected = undisturbed.digests()
    print(f"undisturbed: {length_s:.0f} s, {len(expected)} artifacts", flush=True)

    about = {
        "command": f"snakemake {' '.join(command)}",
        "seed": options.seed,
        "undisturbed_s": round(length_s, 1),
        "artifacts": len(expected),
    }
    rng = np.random.default_rng(options.seed)
    trials: list[Trial] = []
    while len(trials) < options.kills:
        project = Project.copied_to(folder / f"trial-{len(trials) + 1}" / "deeper")
        started = time.monotonic()
        trial = kill_and_rerun(project, command, rng.uniform(0, length_s), expected)
        if trial is None:  # the machine is less busy than it was
            length_s = time.monotonic() - started
        else:
            trials.append(trial)
            print(f"{len(trials)} of {options.kills}: {_line(trial)}", flush=True)
            record("kills", about | _summary(trials), ROOT / "results/survival.json")
        if trial is None or trial.identical:
            shutil.rmtree(project.root.parent)
    failed = [trial for trial in trials if not trial.identical]
    print(f"{len(trials) - len(failed)} of {len(trials)} killed runs ended with the bytes of the undisturbed one")
    if failed:
        print(f"what differs is kept in {folder}")
    else:
        shutil.rmtree(folder)
    return bool(failed)


def _summary(trials: list[Trial]) -> dict:
    return {
        "kills": len(trials),
        "identical_predictions": sum(PREDICTIONS not in trial.differing for trial in trials),
        "identical_in_all": sum(trial.identical for trial in trials),
        "manual_repairs": sum(bool(trial.failure) for trial in trials),
        "outlived": sum(len(trial.outlived) for trial in trials),
        "trials": [asdict(trial) for trial in trials],
    }


def _line(trial: Trial) -> str:
    at_work = ", ".join(f"{count} x {rule}" for rule, count in trial.rules.items()) or "no job"
    line = f"killed after {trial.killed_after_s:.1f} s in {at_work} ({trial.jobs_done} jobs done); "
    if trial.failure:
        return line + f"going on FAILED: {trial.failure}"
    if trial.outlived:
        line += f"OUTLIVED by {'; '.join(trial.outlived)}; "
    outcome = f"{len(trial.differing)} artifacts DIFFER: {trial.differing[:5]}" if trial.differing else "identical"
    return line + f"rerun {trial.rerun_s:.1f} s, {outcome}"


if __name__ == "__main__":
    sys.exit(main())
