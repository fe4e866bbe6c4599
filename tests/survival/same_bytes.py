"""Runs that should not differ in a byte: on one core and on two, in clones elsewhere, resumed at each stage.

    python -m tests.survival.same_bytes

Every artifact is held against that of one run from nothing, `predictions.txt`, features and checkpoints among them. The
outcome is printed and becomes the section "same_bytes" of results/survival.json.
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import ROOT
from tests.project import Project
from tests.survival.kills import SMALL
from tests.survival.record import record

STAGES = (
    "demo",
    "models",
    "corpus",
    "frames",
    "timeline",
    "faces",
    "subjects",
    "crops",
    "audio",
    "audio_windows",
    "features/audio",
    "stage1",
    "features/visual",
    "fusion",
    "smoothing",
    "submission",
)
"""Folders of results, none before what it is made from.

One job writes frames and timeline. Only the timeline is asked for later: with it removed, both come again.
"""


def remove_from(stage: str, results: Path) -> None:
    """Remove the artifacts of a stage and of those that come after it."""
    for folder in STAGES[STAGES.index(stage) :]:
        shutil.rmtree(results / folder)


def main(arguments: list[str] | None = None) -> int:
    """Make the comparisons, print and record them; 1 if any differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--configfile", nargs="+", default=[SMALL], help=f"of the runs (default {SMALL})")
    options = parser.parse_args(arguments)
    command = ("submission", "--configfile", *options.configfile)
    outcome: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory(prefix="same-bytes-") as folder:
        first = Project.copied_to(Path(folder) / "first")
        first.run("--cores", "2", *command)
        expected = first.digests()
        print(f"{len(expected)} artifacts", flush=True)
        for name, project in _runs(first, Path(folder), command):
            outcome[name] = project.differing(expected)
            found = f"{len(outcome[name])} artifacts DIFFER: {outcome[name][:5]}" if outcome[name] else "identical"
            print(f"{name}: {found}", flush=True)
            record("same_bytes", {"artifacts": len(expected), "differing": outcome}, ROOT / "results/survival.json")
    return any(outcome.values())


def _runs(first: Project, folder: Path, command: tuple[str, ...]) -> Iterator[tuple[str, Project]]:
    """Run again in one of the ways and say which; the last stage comes first, so that no run is resumed on another's
    differences."""
    for stage in reversed(STAGES):
        remove_from(stage, first.root / "results")
        first.run("--cores", "2", *command)
        yield f"resumed at {stage}", first
    elsewhere = Project.copied_to(folder / "another/clone_that_lies/much_deeper")
    elsewhere.run("--cores", "1", *command)
    yield "from nothing, in a clone elsewhere, on one core", elsewhere


if __name__ == "__main__":
    sys.exit(main())
