"""Sections of the index of contact sheets: how to correct a choice, a table of the tracks, and their sheets."""

from collections.abc import Sequence
from urllib.parse import quote

from frame_expressions.faces.doubt import EXPLANATION
from frame_expressions.faces.person_spec import PERSONS
from frame_expressions.report.page import Command, Link, LinkedImage, Section, Steps, Table, Text

COLUMNS = {
    "track": "track",
    "doubt": "doubt",
    "num_switches": "switches",
    "num_jumps": "jumps",
    "absent_share": "absent",
    "interpolated_share": "interpolated",
    "rival_share": "other face of similar size",
    "median_side_px": "face side (px)",
    "num_frames": "frames",
    "person": "person",
    "num_overrides": "overrides",
}
"""The statistics of a track in the table doubt.tsv, and their headers on the page."""

_FORMATS = {
    "doubt": "{:.3f}",
    "absent_share": "{:.1%}",
    "interpolated_share": "{:.1%}",
    "rival_share": "{:.1%}",
    "median_side_px": "{:.0f}",
}
_OVERRIDE_HEADER = "track\tfrom_frame\tto_frame\tperson\tbox"
_ALL = "all"


def index_sections(tracks: Sequence[dict]) -> list[Section]:
    """The sections of the index, with tracks in the order given. tracks: what draw_contact_sheet wrote of each."""
    correction = Section("correct", "How to correct a choice", [_steps(), Text(_LEGEND)])
    rows = [[_shown(track, name) for name in COLUMNS] for track in tracks]
    table = Table("Tracks by doubt", list(COLUMNS.values()), rows, [_anchor(track) for track in tracks])
    overview = Section(
        _ALL, "All tracks", [Text(EXPLANATION), Link("This table as a file: doubt.tsv", "doubt.tsv"), table]
    )
    return [correction, overview, *(_sheet(place, track) for place, track in enumerate(tracks, start=1))]


_LEGEND = (
    "On a sheet: the chosen box is green and solid where detected, orange and dashed where interpolated; thin grey "
    "boxes are all faces found; A marks the largest other face shown. Below each frame are the stored crops."
)


def _steps() -> Steps:
    persons = ", ".join(f"`{person}`" for person in PERSONS)
    return Steps(
        [
            [
                Text(
                    "Write a tab-separated file with this header, and give its path in the setting `corpus.overrides`:"
                ),
                Command(_OVERRIDE_HEADER),
            ],
            [
                Text(
                    "Add a row for each track to correct; copy the one below its sheet. Frames are counted from 1, and "
                    f"both ends are included. Person: {persons}, `absent` (nobody), or "
                    "`identity@<frame>:<x1>,<y1>,<x2>,<y2>`, the person whose face is in this box of that frame, in "
                    "pixels of the upright frame."
                )
            ],
            [Text("Run `snakemake contact_sheets` again. Only batches with changed rows are rebuilt.")],
        ]
    )


def _sheet(place: int, track: dict) -> Section:
    name = track["track"]
    summary = ", ".join(f"{header} {_shown(track, column)}" for column, header in COLUMNS.items() if column != "track")
    if track["other_frame"] is None:
        instruction, person = "A row for another choice; replace the person:", "largest"
    else:
        box = ",".join(f"{edge:g}" for edge in track["other_xyxy_px"])
        instruction = f"The row that chooses A, the other face marked in frame {track['other_frame']}, in all frames:"
        person = f"identity@{track['other_frame']}:{box}"
    blocks = [
        Text(summary),
        LinkedImage(f"{name}.jpg", *track["sheet_size_px"], f"Contact sheet of {name}: {summary}"),
        Text(instruction),
        Command(f"{name}\t1\t{track['num_frames']}\t{person}\t"),
        Link("Back to all tracks", f"#{_ALL}"),
    ]
    return Section(_anchor(track), f"{place}. {name}", blocks, is_listed=False)


def _anchor(track: dict) -> str:
    return f"track-{quote(track['track'])}"


def _shown(track: dict, name: str) -> str:
    value = track[name]
    return "-" if value is None else _FORMATS.get(name, "{}").format(value)
