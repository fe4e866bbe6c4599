"""Measures ways of doing the same work side by side, and says whether a target is met.

A figure is a ratio of medians taken in one run, in turns, on the same cores: how fast the machine is falls out of it.
"""

import csv
import multiprocessing
import multiprocessing.connection
import os
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import astuple, dataclass, fields
from importlib import import_module
from pathlib import Path

RUNS = 5


@dataclass(frozen=True)
class Row:
    """One line of the table; `times_peer` and `of_bound` are ratios of speed, None where there is no such side."""

    figure: str
    unit: str
    ours: float
    peer: float | None
    bound: float | None
    times_peer: float | None
    of_bound: float | None
    target: str
    met: bool


def seconds_in_turns(ways: dict[str, tuple[Callable[[], object], float]], runs: int = RUNS) -> dict[str, float]:
    """Median seconds that each way takes per unit of its work.

    ways: by name, what does the work once and how many units that is. Every way runs once unmeasured; then `runs`
    rounds give each one a turn, so that what disturbs the machine disturbs all of them.
    """
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(runs + 1):
        for name, (work, units) in ways.items():
            start = time.perf_counter()
            work()
            if turn:
                taken[name].append((time.perf_counter() - start) / units)
    return {name: statistics.median(times) for name, times in taken.items()}


def compared(figure: str, seconds: dict[str, float], unit: str, *, times_peer: float, of_bound: float | None) -> Row:
    """The row of a speed: `seconds` per unit of `ours`, `peer` and `bound`, and the least ratios that are asked for."""
    ours, peer, bound = (seconds.get(name) for name in ("ours", "peer", "bound"))
    faster, near = peer / ours, None if bound is None else bound / ours
    target, met = f">= {times_peer:g} x peer", faster >= times_peer
    if of_bound is not None:
        target, met = f"{target}, >= {of_bound:g} of the bound", met and near >= of_bound
    milli = [None if value is None else 1000 * value for value in (ours, peer, bound)]
    return Row(figure, f"ms a {unit}", *milli, faster, near, target, met)


def limited(
    figure: str, value: float, unit: str, *, at_least: float | None = None, at_most: float | None = None
) -> Row:
    """The row of a value that must not be lower, or higher, than a limit."""
    if at_least is not None:
        return Row(figure, unit, value, None, None, None, None, f">= {at_least:g}", value >= at_least)
    return Row(figure, unit, value, None, None, None, None, f"<= {at_most:g}", value <= at_most)


def rows_of(figure: str, *arguments: object) -> list[Row]:
    """The rows of one figure; its module is imported here, in the process that measures it."""
    return import_module(f"benchmarks.{figure}").rows(*arguments)


def on_cores(count: int) -> None:
    """Keep this process, and what it starts, on the first `count` of its cores: no way gets more than another."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])


def added_mib(work: Callable[..., object], *arguments: object) -> float:
    """Peak resident memory in MiB that `work` needs beyond an interpreter that has imported its module.

    It runs in a fresh process: `work` is a module's function, and arguments can be pickled.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_measured, args=(sender, work, arguments))
    process.start()
    sender.close()
    before, after = receiver.recv()
    process.join()
    return after - before


def _measured(sender: multiprocessing.connection.Connection, work: Callable[..., object], arguments: tuple) -> None:
    before = _peak_mib()
    work(*arguments)
    sender.send((before, _peak_mib()))


def _peak_mib() -> float:
    # Not getrusage: its peak includes what the process was before it began to run this program.
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


def show(rows: Iterable[Row], table: Path | None = None) -> None:
    """Print the rows; with `table` also write them as CSV."""
    rows = list(rows)
    names = [field.name for field in fields(Row)]
    texts = [names, *([_text(value) for value in astuple(row)] for row in rows)]
    widths = [max(len(line[column]) for line in texts) for column in range(len(names))]
    for line in texts:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())
    if table:
        table.parent.mkdir(parents=True, exist_ok=True)
        with table.open("w", newline="") as handle:
            csv.writer(handle).writerows([names, *map(astuple, rows)])


def _text(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "NO"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
