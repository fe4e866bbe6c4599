"""Problems of a corpus: one row for each fault, so all can be shown together.

Imported whenever the Snakefile is parsed, so it must not import pyarrow, pandas or torch.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from frame_expressions.corpora.tracks import Track, check_tracks
from frame_expressions.runtime.errors import InputError

ERROR = "error"
"""Severity of a fault that would stop `submission`."""
WARNING = "warning"
"""Severity of a fault that a person should look at, but that does not stop anything."""


@dataclass(frozen=True)
class Problem:
    """One fault: its severity, what is wrong, what to do, and the track and file concerned, if any."""

    severity: str
    what: str
    remedy: str
    track: str = ""
    file: str = ""


def problem_of(error: InputError, severity: str = ERROR, track: str = "", file: str = "") -> Problem:
    """An InputError as a Problem."""
    return Problem(severity, error.what, error.remedy, track, file)


@contextmanager
def collecting(problems: list[Problem], severity: str = ERROR, track: str = "", file: str = "") -> Iterator[None]:
    """Append the block's InputError to `problems`, and continue after the block."""
    try:
        yield
    except InputError as error:
        problems.append(problem_of(error, severity, track, file))


def raise_first(problems: Sequence[Problem]) -> None:
    """Raise the first error among `problems` as InputError, if there is one."""
    for problem in problems:
        if problem.severity == ERROR:
            raise InputError(problem.what, problem.remedy)


def without_clashes(tracks: Iterable[Track]) -> tuple[list[Track], list[Problem]]:
    """The tracks that `check_tracks` accepts together, and a Problem for each of the others."""
    accepted: list[Track] = []
    problems: list[Problem] = []
    seen: dict[tuple[str, str], Track] = {}
    for track in tracks:
        keys = [("track", track.track), ("video", track.video), ("path", track.path)]
        related = {seen[key].track: seen[key] for key in keys if key in seen}
        with collecting(problems, track=track.track, file=track.path):
            check_tracks([*related.values(), track])
            accepted.append(track)
            seen |= {key: track for key in keys if key not in seen}
    return accepted, problems
