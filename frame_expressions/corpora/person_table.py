"""Convert a table of persons from elsewhere, such as the authors', to an overrides table.

    python -m frame_expressions.corpora.person_table TABLE --tracks results/corpus/tracks.tsv > overrides.tsv

It takes several tables at once. A table is UTF-8, separated by commas, tabs or semicolons, with a header. One column
names whom a row is about: track or txtid a track; video or video_id a video, that is, each of its tracks. Another one,
strategy or person, names the person: id_keep, which is auto, or a person as in `corpora.overrides`. Other columns are
ignored. Rows without a strategy and tracks that the corpus follows in this way anyway get no row.

The authors' two tables mean different persons by `largest`. In that of the training and validation videos (video_id),
most videos have it; it most likely means that the first pass was kept, which follows an identity from the largest face:
auto. In that of the test tracks (txtid) it is the largest face of each frame: largest, as in a table with any other
column. `--largest` chooses one for all tables.
"""

import argparse
import csv
import io
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from frame_expressions.artifacts.vocabulary import ABSENT
from frame_expressions.corpora.overrides import REQUIRED
from frame_expressions.corpora.tracks import Track, read_tracks
from frame_expressions.faces.person_spec import SYNTAX, parse_person_spec
from frame_expressions.runtime.errors import InputError

NAME_COLUMNS = {"track": "track", "txtid": "track", "video": "video", "video_id": "video"}
"""The columns that name whom a row is about, and what each names; of several, the first counts."""
PERSON_COLUMNS = ("strategy", "person")
KEEP_IDENTITY = "id_keep"
LARGEST_IN_COLUMN = {"video_id": "auto"}
"""The person that `largest` means, by the column that names the rows; `largest` in the others."""


@dataclass(frozen=True)
class PersonRow:
    """One row. where: file and line. kind: whether name is that of a `track` or of a `video`. person: may be empty."""

    where: str
    kind: str
    name: str
    person: str


@dataclass
class Converted:
    """An overrides table. rows: track and person, in the order of the table from elsewhere.

    num_empty: rows without a strategy. num_unchanged: tracks that the corpus follows in this way anyway. warnings:
    sentences about rows that may not be meant so.
    """

    rows: list[tuple[str, str]] = field(default_factory=list)
    num_empty: int = 0
    num_unchanged: int = 0
    warnings: list[str] = field(default_factory=list)


def read_person_table(path: Path, largest: str | None = None) -> list[PersonRow]:
    """The rows of a table, in this project's words.

    largest: the person that the word `largest` means, `auto` or `largest`; None decides by the columns. Raises
    InputError with file and line for a table without the columns, a name that occurs twice, and unknown strategies.
    """
    columns, lines = _read(path)
    name_column = next((column for column in NAME_COLUMNS if column in columns), None)
    person_columns = [column for column in PERSON_COLUMNS if column in columns]
    if name_column is None:
        raise InputError(
            f"The table {path} line 1 has no column track, txtid, video or video_id", "name the first column so"
        )
    if not person_columns:
        raise InputError(f"The table {path} line 1 has no column strategy or person", "name the column of persons so")
    if len(person_columns) > 1:
        raise InputError(f"The table {path} line 1 has both strategy and person", "keep one of them")
    kind = NAME_COLUMNS[name_column]
    words = {KEEP_IDENTITY: "auto", "largest": largest or LARGEST_IN_COLUMN.get(name_column, "largest")}
    rows: dict[str, PersonRow] = {}
    unknown: list[str] = []
    for line, values in lines:
        where = f"The table {path} line {line}"
        if None in values:
            raise InputError(f"{where} has more fields than the header", "remove some, or quote a field with a comma")
        name, person = ((values[column] or "").strip() for column in (name_column, person_columns[0]))
        if not name:
            raise InputError(f"{where} names no {kind}", "fill in the field, or remove the row")
        if name in rows:
            raise InputError(f"{where} names the {kind} {name!r} again", "keep one of the rows")
        rows[name] = PersonRow(f"{path} line {line}", kind, name, words.get(person, person))
        if person and not _is_person(rows[name].person):
            unknown.append(f"{where} has the strategy {person[:80]!r}")
    if unknown:
        raise InputError(
            f"{', '.join(unknown)}, which this project does not have",
            f"choose one of {KEEP_IDENTITY}, {SYNTAX}, or {ABSENT}",
        )
    return list(rows.values())


def convert(rows: Sequence[PersonRow], tracks: Sequence[Track]) -> Converted:
    """The overrides that make the corpus's tracks follow the persons of `rows`, in all of their frames.

    Raises InputError if two rows, of two tables, give a person to one track.
    """
    found = Converted()
    given_by: dict[str, str] = {}
    for row in rows:
        if not row.person:
            found.num_empty += 1
            continue
        named = [track for track in tracks if getattr(track, row.kind) == row.name]
        for track in named:
            if given_by.setdefault(track.track, row.where) != row.where:
                raise InputError(
                    f"The track {track.track} gets a person from {given_by[track.track]} and from {row.where}",
                    "keep one of the two rows",
                )
        if not named:
            found.warnings.append(f"{row.where} names the {row.kind} {row.name!r}, which the corpus does not have")
        if len(named) > 1:
            names = ", ".join(track.track for track in named)
            found.warnings.append(
                f"{row.where} gives {row.person!r} to the {len(named)} tracks of the video {row.name!r}: {names}"
            )
        changed = [(track.track, row.person) for track in named if track.person != row.person]
        found.rows += changed
        found.num_unchanged += len(named) - len(changed)
    return found


def _read(path: Path) -> tuple[list[str], list[tuple[int, dict[str | None, str | None]]]]:
    """The header, and each row by column with its line's number, from 1."""
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
        header = text.partition("\n")[0]
        separator = max((",", "\t", ";"), key=header.count)
        reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        columns = [name.strip() for name in reader.fieldnames or []]
        reader.fieldnames = columns
        return columns, [(reader.line_num, values) for values in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"The table {path} cannot be read ({error})", "give a UTF-8 file with a header") from error


def _is_person(text: str) -> bool:
    if text == ABSENT:
        return True
    try:
        parse_person_spec(text)
    except InputError:
        return False
    return True


def main() -> int:
    """Print the overrides table; warnings and a summary go to the standard error."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", type=Path, nargs="+", metavar="TABLE")
    parser.add_argument("--tracks", type=Path, default=Path("results/corpus/tracks.tsv"), help="the corpus's tracks")
    parser.add_argument("--largest", choices=["auto", "largest"], help="what the word means, for all tables")
    arguments = parser.parse_args()
    try:
        if not arguments.tracks.is_file():
            raise InputError(
                f"{arguments.tracks} does not exist",
                "run `snakemake --cores 1 index_corpus` with the corpus's --configfile",
            )
        tracks = read_tracks(arguments.tracks)
        rows = [row for path in arguments.tables for row in read_person_table(path, arguments.largest)]
        found = convert(rows, tracks)
    except InputError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    csv.writer(sys.stdout, delimiter="\t", lineterminator="\n").writerows(
        [REQUIRED, *((track, "", "", person) for track, person in found.rows)]
    )
    for warning in found.warnings:
        print(f"Warning: {warning}", file=sys.stderr)
    counts = Counter(person for _, person in found.rows)
    listed = ", ".join(f"{count} {person}" for person, count in counts.items()) or "none"
    print(
        f"{_counted(len(found.rows), 'row')}: {listed}. Left out: {_counted(found.num_empty, 'row')} without a "
        f"strategy, {_counted(found.num_unchanged, 'track')} followed like this already",
        file=sys.stderr,
    )
    return 0


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


if __name__ == "__main__":
    sys.exit(main())
