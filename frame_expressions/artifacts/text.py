"""Text artifacts: JSON and tab-separated tables.

Imported whenever the Snakefile is parsed, so it must import only the standard library.
"""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from frame_expressions.artifacts.atomic import atomic_write
from frame_expressions.runtime.errors import InputError, unreadable


def write_text(text: str, path: Path) -> None:
    """Write UTF-8 text; line ends stay as given."""
    with atomic_write(path) as temporary:
        temporary.write_bytes(text.encode())


def write_json(content: dict, path: Path) -> None:
    """Write indented JSON with sorted keys."""
    write_text(json.dumps(content, indent=2, sort_keys=True, allow_nan=False) + "\n", path)


def read_json(path: Path) -> dict:
    """Read what `write_json` wrote; raises InputError if the file is cut off or is not JSON."""
    try:
        return json.loads(Path(path).read_text())
    except ValueError as error:
        raise unreadable(path, "JSON", error) from error


def write_tsv(columns: Sequence[str], rows: Iterable[Sequence[str]], tsv: Path) -> None:
    """Write a table with a header."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    write_text(text.getvalue(), tsv)


def read_tsv(tsv: Path, columns: Sequence[str], remedy: str = "delete it and run the workflow again") -> list[dict]:
    """The rows of a table that the workflow wrote, by column.

    Raises InputError if the table is cut off, has other columns or is not a table.
    """
    content = Path(tsv).read_bytes()
    if not content.endswith(b"\n"):  # every table ends with a line end
        raise InputError(f"{tsv} is cut off", remedy)
    try:
        header, rows = _parse(content.decode())
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{tsv} cannot be read as a table ({error})", remedy) from error
    if header != list(columns) or any(None in row or None in row.values() for _, row in rows):
        raise InputError(f"{tsv} is not a table with the columns {', '.join(columns)}", remedy)
    return [row for _, row in rows]


def read_given_tsv(
    tsv: Path, name: str, delimiter: str = "\t"
) -> tuple[list[str], list[tuple[int, dict[str | None, str | None]]]]:
    """The header of a table that the user wrote, and each row by column with its last line's number, from 1.

    name: what messages call the table. A field that a row lacks is None; a row with more fields than the header has
    the key None. Raises InputError if the file cannot be read or is not a UTF-8 table separated by `delimiter`.
    """
    try:
        return _parse(Path(tsv).read_bytes().decode("utf-8-sig"), delimiter)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        separated = "tab" if delimiter == "\t" else "comma"
        remedy = f"give a {separated}-separated UTF-8 file"
        raise InputError(f"The {name} {tsv} cannot be read ({error})", remedy) from error


def _parse(text: str, delimiter: str = "\t") -> tuple[list[str], list[tuple[int, dict[str | None, str | None]]]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    columns = list(reader.fieldnames or [])
    return columns, [(reader.line_num, row) for row in reader]
