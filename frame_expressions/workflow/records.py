"""Records of finished results, in results/records/, so that a copy of them is as finished as the original.

Snakemake runs a job again if an input is newer than an output, or if its parameters differ from those in .snakemake/.
A copy made by `cp -r`, or by rsync without -t, has its times in any order, and often comes without .snakemake/. At the
end of a run, the records therefore keep of each output a digest of its content, its time, and Snakemake's own entry.
At the start of the next one, an output that has another time but the recorded content gets the recorded time back.
Imported whenever the Snakefile is parsed, so it must not import pyarrow, pandas or torch.
"""

import os
import shutil
import sys
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from snakemake.exceptions import WorkflowError

from frame_expressions.artifacts.atomic import atomic_write
from frame_expressions.artifacts.text import read_json, write_json
from frame_expressions.runtime.errors import InputError
from frame_expressions.workflow.content import digest_of_times, digests_of

RECORDS = Path("results/records")
CONTENT = RECORDS / "content.json"
"""By output: its digest, and its state as a list."""

ENTRIES = RECORDS / "snakemake"
"""Copies of the files in .snakemake/metadata, which hold the parameters and inputs of each output."""

SNAKEMAKE = Path(".snakemake")
CLOCK_S = 2  # by which the clocks of two machines may differ


class State(NamedTuple):
    """What shows without reading that an output was not written again.

    time_ns: the modification time that Snakemake goes by. files: a digest of the names, sizes and times of a folder's
    files, which Snakemake does not look at; empty for a file.
    """

    time_ns: int
    files: str


class Record(NamedTuple):
    """A digest of an output's content, and its state at that time."""

    content: str
    state: State


def keep_records(workflow) -> None:
    """Compare the results with their records now, and renew the records when this run ends.

    workflow: Snakemake's, of the process that the user started. Nothing is written for results that are read-only.
    """
    restore()
    workflow.onstart(lambda log: check_times(workflow.dag))
    workflow.onsuccess(lambda log: record(finished_outputs(workflow.dag)))
    workflow.onerror(lambda log: record(finished_outputs(workflow.dag)))


def finished_outputs(dag) -> list[str]:
    """The outputs on this machine's disks of all jobs that are done, in this run or in an earlier one."""
    done = (job for job in dag.jobs if dag.finished(job) or not dag.needrun(job))
    return [str(path) for job in done for path in job.output if not path.is_storage]


def check_times(dag) -> None:
    """Raise WorkflowError if a job is about to read a given file from the future.

    After the job, Snakemake would find the outputs older than this file, delete them and stop.
    """
    given = {str(path) for job in dag.needrun_jobs() for path in job.input if path.is_ancient}
    for path in sorted(given):
        if Path(path).exists() and Path(path).stat().st_mtime > time.time() + CLOCK_S:
            what = f"The modification time of {path} is in the future, and Snakemake fails every job that reads it"
            raise WorkflowError(str(InputError(what, f"correct it, for example with `touch '{path}'`")))


def record(outputs: Iterable[str]) -> None:
    """Record the content and time of each output that changed since it was last recorded, and Snakemake's entry."""
    try:
        known = _read()
        now = _states(outputs)
        changed = [path for path, state in now.items() if path not in known or known[path].state != state]
        for path, digest in zip(changed, digests_of(changed), strict=True):
            known[path] = Record(digest, now[path])
            entry, copy = _entry(SNAKEMAKE / "metadata", path), _entry(ENTRIES, path)
            if entry.is_file():
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(entry, copy)
        if changed:
            _write({path: found for path, found in known.items() if Path(path).exists()})
        _mark_as_belonging_together()
    except OSError as error:
        print(f"{RECORDS} cannot be written ({error}); a copy of the results may run again.", file=sys.stderr)


def restore() -> None:
    """Give each unchanged output its recorded time, and Snakemake its entries if they were left behind.

    An output with other content and a time that is not newer, which Snakemake would overlook, becomes new. Results that
    another invocation works on stay as they are.
    """
    if any((SNAKEMAKE / "locks").glob("*")):
        return
    known = _read()
    now = _states(known)
    unchanged = {path for path, state in now.items() if known[path].state == state}
    others = sorted(now.keys() - unchanged)
    restored, refusal = {}, None
    for path, digest in zip(others, digests_of(others), strict=True):
        recorded_ns = known[path].state.time_ns
        try:
            if digest and digest == known[path].content:
                unchanged.add(path)
                os.utime(_time_file(path), ns=(recorded_ns, recorded_ns))
                restored[path] = Record(digest, _state(path))  # of files in a folder, the times are not set
            elif now[path].time_ns <= recorded_ns:
                os.utime(_time_file(path))
        except OSError as error:
            refusal = error
    if refusal:
        print(f"Results may run again, since their times cannot be set ({refusal}).", file=sys.stderr)
    with suppress(OSError):
        if restored:
            _write(known | restored)
        _adopt(known, unchanged)


def _adopt(known: Mapping[str, Record], unchanged: Iterable[str]) -> None:
    """If the results came here without .snakemake, take its entries from the records, or warn."""
    if known and not _belong_together():
        for path in unchanged:
            entry, copy = _entry(SNAKEMAKE / "metadata", path), _entry(ENTRIES, path)
            if copy.is_file() and not entry.exists():
                entry.parent.mkdir(parents=True, exist_ok=True)
                (SNAKEMAKE / "incomplete").mkdir(exist_ok=True)  # or Snakemake takes the folder for an old version's
                shutil.copyfile(copy, entry)
        _mark_as_belonging_together()
    has_results = any(any((RECORDS.parent / stage).glob("*")) for stage in ("timeline", "stage1", "fusion"))
    is_known = any(any(SNAKEMAKE.glob(entries)) for entries in ("metadata/*", "metadata.db", "incomplete/*"))
    if has_results and not is_known:
        print(
            f"Warning: {RECORDS.parent}/ came without .snakemake/ and without {RECORDS}/, so Snakemake does not know "
            "which settings made the results: a changed setting re-runs nothing, and a file with a new time counts as "
            "changed. Copy one of the two as well, or name the rules to run again with -R.",
            file=sys.stderr,
        )


def _read() -> dict[str, Record]:
    """The records, of files in results/ alone, whoever wrote them; none if they cannot be read."""
    with suppress(OSError, ValueError, TypeError, AttributeError):
        known = {
            path: Record(str(digest), State(int(time_ns), str(files)))
            for path, (digest, time_ns, files) in read_json(CONTENT).items()
        }
        return {path: found for path, found in known.items() if _is_result(Path(path))}
    return {}


def _write(known: Mapping[str, Record]) -> None:
    write_json({path: [found.content, *found.state] for path, found in known.items()}, CONTENT)


def _is_result(path: Path) -> bool:
    return path.is_relative_to(RECORDS.parent) and ".." not in path.parts


def _time_file(path: str) -> Path:
    """The file whose time Snakemake takes for an output's: a folder has one of its own."""
    stamp = Path(path, ".snakemake_timestamp")
    return stamp if stamp.is_file() else Path(path)


def _states(paths: Iterable[str]) -> dict[str, State]:
    """The states of the outputs that exist; links, whose target others may change, are left out."""
    return {path: _state(path) for path in paths if Path(path).exists() and not Path(path).is_symlink()}


def _state(path: str) -> State:
    return State(_time_file(path).stat().st_mtime_ns, digest_of_times(Path(path)) if Path(path).is_dir() else "")


def _entry(folder: Path, path: str) -> Path:
    """Where Snakemake keeps what it knows of an output: its name in base64, in pieces that a file system allows."""
    longest = os.pathconf(".", "PC_NAME_MAX") - 1
    name = urlsafe_b64encode(path.encode()).decode()
    *folders, last = [name[start : start + longest] for start in range(0, len(name), longest)]
    return folder.joinpath(*(f"@{piece}" for piece in folders), last)


def _belong_together() -> bool:
    """Whether .snakemake is from the checkout that these records are from."""
    marks = [folder / "checkout" for folder in (RECORDS, SNAKEMAKE)]
    return all(mark.is_file() for mark in marks) and marks[0].read_bytes() == marks[1].read_bytes()


def _mark_as_belonging_together() -> None:
    """Mark both folders alike.

    Then an entry that the user deletes, with --cleanup-metadata, does not come back from the records.
    """
    if not _belong_together():
        for folder in (RECORDS, SNAKEMAKE):
            with atomic_write(folder / "checkout") as temporary:
                temporary.write_text(uuid.uuid4().hex if folder == RECORDS else (RECORDS / "checkout").read_text())
