"""A copy of the project to run as a user does, and what a run or dry run says."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from frame_expressions.artifacts.provenance import sha256_of
from tests.conftest import ROOT

PARTS = (
    "Snakefile",
    "config.yaml",
    "config.schema.yaml",
    "rules",
    "frame_expressions",
    "workflow_scripts",
    "envs",
    "profiles",
    "tests",
)


@dataclass(frozen=True)
class Project:
    """A checkout with its own results."""

    root: Path

    @classmethod
    def copied_to(cls, root: Path) -> "Project":
        """A fresh copy of this checkout, without results."""
        root.mkdir(parents=True)
        for part in PARTS:
            if (ROOT / part).is_dir():
                shutil.copytree(ROOT / part, root / part, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / part, root / part)
        return cls(root)

    def start(
        self, *arguments: str, through: Sequence[str] = (), variables: dict[str, str] | None = None, **options
    ) -> subprocess.Popen:
        """Start Snakemake in the checkout; standard error is in `stdout`, as a terminal shows them.

        through: a command that starts it, such as `nice`. variables: of the environment, on top of this process's.
        options: of subprocess.Popen.
        """
        environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        environment.pop("PYTHONPATH", None)
        environment |= variables or {}
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT} | options
        return subprocess.Popen(
            [*through, "snakemake", *arguments], cwd=self.root, env=environment, text=True, **streams
        )

    def snakemake(self, *arguments: str, **settings) -> subprocess.CompletedProcess:
        """Run Snakemake to its end; see `start`."""
        with self.start(*arguments, **settings) as process:
            printed, _ = process.communicate()
        return subprocess.CompletedProcess(process.args, process.returncode, printed)

    def run(self, *arguments: str, **settings) -> str:
        """Run Snakemake and return what it printed; fail with it where Snakemake fails. See `start`."""
        done = self.snakemake(*arguments, **settings)
        assert done.returncode == 0, done.stdout[-6000:]
        return done.stdout

    def jobs(self, *arguments: str, target: str = "submission") -> dict[str, int]:
        """Rules that a dry run lists, with their number of jobs, the target left out."""
        text = self.run("-n", target, *arguments)
        table = re.search(r"^Job stats:\njob +count\n[- ]+\n(.*?)^total ", text, re.DOTALL | re.MULTILINE)
        if table is None:
            assert "Nothing to be done" in text, text[-3000:]
            return {}
        jobs = {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", table[1], re.MULTILINE)}
        jobs.pop(target, None)
        return jobs

    def digests(self) -> dict[str, str]:
        """SHA-256 of every artifact by its path in `results`, without logs, run times and records, which hold times."""
        results = self.root / "results"
        paths = {path.relative_to(results): path for path in sorted(results.rglob("*")) if path.is_file()}
        artifacts = {
            path: found for path, found in paths.items() if path.parts[0] not in ("logs", "benchmarks", "records")
        }
        return {path.as_posix(): sha256_of(found) for path, found in artifacts.items()}

    def differing(self, expected: dict[str, str]) -> list[str]:
        """Artifacts whose digests are not the `expected` ones, or that are only here or only there."""
        found = self.digests()
        return sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
