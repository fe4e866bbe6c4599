"""The layout `table`: any corpus, described by one tab-separated file with a header.

Columns: track, path, split, and optionally video (default: the path's stem), annotation (file in the challenge's
format), label (one class for the whole clip, by name or number), person (default: auto, see `faces.person_spec`).
Paths are absolute or relative to the table's folder. They must be inside it unless `allow_outside_root` is set, so a
table from someone else cannot make the workflow read other files on this machine.
"""

from pathlib import Path

from frame_expressions.artifacts.file_names import path_fault
from frame_expressions.artifacts.text import read_given_tsv
from frame_expressions.artifacts.vocabulary import EXPRESSIONS, SPLITS, expression_number
from frame_expressions.corpora.allowed_folder import AllowedFolder
from frame_expressions.corpora.problems import Problem, collecting, without_clashes
from frame_expressions.corpora.tracks import Track, person_by_suffix
from frame_expressions.faces.person_spec import parse_person_spec
from frame_expressions.runtime.errors import InputError

AUTO = "auto"
REQUIRED = ("track", "path", "split")
OPTIONAL = ("video", "annotation", "label", "person")


def scan_table(tsv: Path, allow_outside_root: bool = False) -> tuple[list[Track], list[Problem]]:
    """Tracks of a table, in its order, and the problems of its other rows.

    allow_outside_root: whether the table may name files outside its folder, after following links.
    """
    tsv = Path(tsv)
    inside = None if allow_outside_root else AllowedFolder(tsv.parent)
    tracks: list[Track] = []
    problems: list[Problem] = []
    with collecting(problems, file=str(tsv)):
        rows = _rows(tsv)
        for line, row in rows:
            with collecting(problems, track=(row.get("track") or "").strip(), file=str(tsv)):
                tracks.append(_track(tsv, line, row, inside))
        if not rows:
            raise InputError(f"The table {tsv} has no rows", "add one line per track")
    tracks, clashes = without_clashes(tracks)
    return tracks, problems + clashes


def _rows(tsv: Path) -> list[tuple[int, dict[str | None, str | None]]]:
    """Line number and fields of each row, after a check of the header."""
    columns, rows = read_given_tsv(tsv, "table")
    _check_columns(tsv, columns)
    return rows


def _check_columns(tsv: Path, columns: list[str]) -> None:
    known = ", ".join(REQUIRED + OPTIONAL)
    for column in columns:
        if column not in REQUIRED + OPTIONAL or columns.count(column) > 1:
            raise InputError(
                f"The table {tsv} line 1 has an unknown or duplicate column {column!r}",
                f"use the columns {known}, separated by tabs",
            )
    for column in REQUIRED:
        if column not in columns:
            raise InputError(
                f"The table {tsv} line 1 lacks the column {column!r}", f"use the columns {known}, separated by tabs"
            )


def _track(tsv: Path, line: int, row: dict[str | None, str | None], inside: AllowedFolder | None) -> Track:
    where = f"The table {tsv} line {line}"
    if None in row:
        raise InputError(f"{where} has more fields than the header", "separate fields by one tab")
    values = {column: (text or "").strip() for column, text in row.items()}
    for column in REQUIRED:
        if not values[column]:
            raise InputError(f"{where} leaves {column!r} empty", "fill in the field")
    split, person = values["split"], values.get("person") or AUTO
    label, annotation = values.get("label", ""), values.get("annotation", "")
    if split not in SPLITS:
        raise InputError(f"{where} has the split {split!r}", f"choose one of {', '.join(SPLITS)}")
    try:
        parse_person_spec(person)
    except InputError as error:
        raise InputError(f"{where}: {error.what}", error.remedy) from error
    if label and expression_number(label) is None:
        raise InputError(f"{where} has the label {label!r}", f"choose one of {', '.join(EXPRESSIONS)} or 0 to 7")
    if label and annotation:
        raise InputError(f"{where} gives both an annotation and a label", "keep only one of them")
    if split != "test" and not (label or annotation):
        raise InputError(f"{where} gives a {split} track neither annotation nor label", "add one of them")
    path = _existing(where, tsv, values["path"], inside)
    video = values.get("video") or path.stem
    if person == AUTO:
        person = person_by_suffix(values["track"], video)
    return Track(
        track=values["track"],
        video=video,
        path=str(path),
        split=split,
        person=person,
        annotation=str(_existing(where, tsv, annotation, inside)) if annotation else "",
        label=EXPRESSIONS[expression_number(label)] if label else "",
        group=video,
    )


def _existing(where: str, tsv: Path, name: str, inside: AllowedFolder | None) -> Path:
    path = tsv.parent / name
    if fault := path_fault(str(path)):
        raise InputError(f"{where} names {str(path)!r}, which {fault}", "rename the file or folder")
    if inside and not inside.contains(path):
        raise InputError(
            f"{where} names {path}, which is outside the table's folder",
            "put it there, or, if you trust the table, set corpus.allow_outside_root to true",
        )
    if not path.is_file():
        raise InputError(f"{where} names {path}, which does not exist", "correct the path or add the file")
    return path
