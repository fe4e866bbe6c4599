"""Compare implementations of the same work, and check whether a target is met.

A figure is a ratio of medians, measured in turns in one run on the same cores, so the speed of the machine cancels out.
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

import yaml
from snakemake.utils import update_config

RUNS = 5


@dataclass(frozen=True)
class Row:
    """One row of the table. `peer` is common practice, `reference` the parts that the work needs, without the rest.

    `times_peer` and `of_reference` are ratios of speed, None without a peer or reference.
    """

    figure: str
    unit: str
    ours: float
    peer: float | None
    reference: float | None
    times_peer: float | None
    of_reference: float | None
    target: str
    met: bool


def seconds_in_turns(ways: dict[str, tuple[Callable[[], object], float]], runs: int = RUNS) -> dict[str, float]:
    """Median seconds per unit of work of each implementation.

    ways: by name, a function that does the work once, and the number of units that it does. Each runs once unmeasured;
    then all take turns for `runs` rounds, so that disturbances of the machine affect all of them.
    """
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(runs + 1):
        for name, (work, units) in ways.items():
            start = time.perf_counter()
            work()
            if turn:
                taken[name].append((time.perf_counter() - start) / units)
    return {name: statistics.median(times) for name, times in taken.items()}


def compared(
    figure: str, seconds: dict[str, float], unit: str, *, times_peer: float, of_reference: float | None
) -> Row:
    """A row for a speed. seconds: per unit, of `ours`, `peer` and `reference`. The others are the target ratios."""
    ours, peer, reference = (seconds.get(name) for name in ("ours", "peer", "reference"))
    faster, near = peer / ours, None if reference is None else reference / ours
    target, met = f">= {times_peer:g} x peer", faster >= times_peer
    if of_reference is not None:
        target, met = f"{target}, >= {of_reference:g} of the reference", met and near >= of_reference
    milli = [None if value is None else 1000 * value for value in (ours, peer, reference)]
    return Row(figure, f"ms per {unit}", *milli, faster, near, target, met)


def limited(
    figure: str, value: float, unit: str, *, at_least: float | None = None, at_most: float | None = None
) -> Row:
    """A row for a value with a minimum or a maximum."""
    if at_least is not None:
        return Row(figure, unit, value, None, None, None, None, f">= {at_least:g}", value >= at_least)
    return Row(figure, unit, value, None, None, None, None, f"<= {at_most:g}", value <= at_most)


def paper_config() -> dict:
    """The settings of config.affwild2.yaml on top of config.yaml, as a run with that file has them."""
    root = Path(__file__).parents[1]
    config = yaml.safe_load((root / "config.yaml").read_text())
    update_config(config, yaml.safe_load((root / "config.affwild2.yaml").read_text()))
    return config


def rows_of(figure: str, *arguments: object) -> list[Row]:
    """The rows of one figure. Its module is imported in the process that measures it."""
    return import_module(f"benchmarks.{figure}").rows(*arguments)


def on_cores(count: int) -> None:
    """Pin this process and its children to the first `count` of its cores, so that all implementations get the same."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])


def added_mib(work: Callable[..., object], *arguments: object) -> float:
    """Peak resident memory of `work` in MiB, above that of an interpreter that has imported its module.

    It runs in a new process, so `work` must be a module-level function and the arguments must be picklable.
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
    # Not getrusage: its peak includes the process image before exec.
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


def show(rows: Iterable[Row], table: Path | None = None) -> None:
    """Print the rows, and write them to `table` as CSV if given."""
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
