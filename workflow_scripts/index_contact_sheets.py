"""List the tracks by how doubtful the choice of their person is, as a page to look at and as a table."""

import logging
from html import escape
from pathlib import Path
from urllib.parse import quote

import pandas as pd

from frame_expressions.artifacts.text import read_json, write_text
from frame_expressions.faces.doubt import EXPLANATION
from frame_expressions.faces.person_spec import PERSONS
from frame_expressions.runtime.job import log_to

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
FORMATS = {
    "doubt": "{:.3f}",
    "absent_share": "{:.1%}",
    "interpolated_share": "{:.1%}",
    "rival_share": "{:.1%}",
    "median_side_px": "{:.0f}",
}
OVERRIDE_HEADER = "track\tfrom_frame\tto_frame\tperson\tbox"

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Contact sheets</title>
<style>
:root {{ color-scheme: light dark; --line: #bbb; --field: #f2f2f2; --link: #0047a3; }}
@media (prefers-color-scheme: dark) {{ :root {{ --line: #555; --field: #262626; --link: #8ab8ff; }} }}
body {{ font: 1rem/1.5 system-ui, sans-serif; margin: 0 auto; padding: 0 1rem 4rem; max-width: 90rem; }}
p, li {{ max-width: 46rem; }}
a {{ color: var(--link); }}
a:focus-visible, pre:focus-visible, .wide:focus-visible {{ outline: 3px solid var(--link); outline-offset: 2px; }}
.wide {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; }}
th, td {{ padding: .3rem .6rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }}
thead th {{ vertical-align: bottom; white-space: normal; }}
th:first-child {{ text-align: left; }}
pre {{ background: var(--field); padding: .5rem; margin: .3rem 0; overflow-x: auto; user-select: all; }}
section {{ border-top: 1px solid var(--line); margin-top: 2rem; }}
h2 {{ overflow-wrap: anywhere; }}
img {{ max-width: 100%; height: auto; background: #fff; }}
</style>
</head>
<body>
<main>
<h1>Contact sheets</h1>
<p>{num_tracks} tracks, the most doubtful first: look at the first 20. {explanation} The table below
as a file: <a href="doubt.tsv">doubt.tsv</a>.</p>
<h2>How to correct a choice</h2>
<ol>
<li>Write a tab-separated file with this header, and name it in the setting <code>corpus.overrides</code>:
<pre tabindex="0">{override_header}</pre></li>
<li>Add a row for each track to correct; below each sheet there is one to copy. Frames are counted from 1 and both ends
included. Person: {persons}, <code>absent</code> (nobody), or
<code>identity@&lt;frame&gt;:&lt;x1&gt;,&lt;y1&gt;,&lt;x2&gt;,&lt;y2&gt;</code>: whoever has the face in this box of
that frame, in pixels of the full frame; box stays empty then.</li>
<li>Run <code>snakemake contact_sheets</code> again: only the batches of videos whose rows changed are made anew.</li>
</ol>
<p>On a sheet: the chosen box is green and solid where detected, orange and dashed where interpolated; thin grey boxes
are all faces found; A marks the largest other face shown. Below each frame are the stored crops.</p>
<h2 id="all">All tracks</h2>
<div class="wide" role="region" aria-labelledby="all" tabindex="0">
<table>
<thead><tr>{headers}</tr></thead>
<tbody>
{rows}
</tbody>
</table>
</div>
{sections}
</main>
</body>
</html>
"""

SECTION = """<section id="{anchor}">
<h2>{place}. {track}</h2>
<p>{summary}</p>
<a href="{file}"><img src="{file}" width="{width}" height="{height}" loading="lazy" alt="{alt}"></a>
<p>{row_for}</p>
<pre tabindex="0">{override}</pre>
<p><a href="#all">Back to all tracks</a></p>
</section>"""


def run(*, figures: list[Path], page: Path, table: Path) -> None:
    """Write the page and the table from the `figures` of every track; the sheets are next to the page."""
    logging.info("indexing %d contact sheets", len(figures))
    tracks = [read_json(path) for path in figures]
    tracks.sort(key=lambda track: (-track["doubt"], track["track"]))
    rows = pd.DataFrame([{name: track[name] for name in COLUMNS} for track in tracks], columns=list(COLUMNS))
    write_text(rows.to_csv(sep="\t", index=False, float_format="%.4f", lineterminator="\n"), table)
    write_text(page_of(tracks), page)
    worst = f"{tracks[0]['track']} is the most doubtful, {tracks[0]['doubt']:.3f}" if tracks else "no tracks"
    logging.info("made %s: %s", page, worst)


def page_of(tracks: list[dict]) -> str:
    """The index page, HTML that needs nothing but the sheets, of tracks in the order given."""
    return PAGE.format(
        num_tracks=len(tracks),
        explanation=escape(EXPLANATION),
        override_header=OVERRIDE_HEADER,
        persons=", ".join(f"<code>{person}</code>" for person in PERSONS),
        headers="".join(f'<th scope="col">{escape(header)}</th>' for header in COLUMNS.values()),
        rows="\n".join(map(_row, tracks)),
        sections="\n".join(_section(place, track) for place, track in enumerate(tracks, start=1)),
    )


def _row(track: dict) -> str:
    cells = [f"<td>{escape(_shown(track, name))}</td>" for name in COLUMNS if name != "track"]
    link = f'<a href="#{_anchor(track)}">{escape(track["track"])}</a>'
    return f'<tr><th scope="row">{link}</th>{"".join(cells)}</tr>'


def _section(place: int, track: dict) -> str:
    summary = ", ".join(f"{header} {_shown(track, name)}" for name, header in COLUMNS.items() if name != "track")
    width, height = track["sheet_size_px"]
    if track["other_frame"] is None:
        row_for, person = "A row for another choice; replace the person:", "largest"
    else:
        box = ",".join(f"{edge:g}" for edge in track["other_xyxy_px"])
        row_for = f"The row to choose A, the other face marked in frame {track['other_frame']}, in all frames:"
        person = f"identity@{track['other_frame']}:{box}"
    return SECTION.format(
        anchor=_anchor(track),
        place=place,
        track=escape(track["track"]),
        summary=escape(summary),
        file=escape(quote(f"{track['track']}.jpg")),
        width=width,
        height=height,
        alt=escape(f"Contact sheet of {track['track']}: {summary}"),
        row_for=escape(row_for),
        override=escape(f"{track['track']}\t1\t{track['num_frames']}\t{person}\t"),
    )


def _anchor(track: dict) -> str:
    return f"track-{escape(quote(track['track']))}"


def _shown(track: dict, name: str) -> str:
    value = track[name]
    return "-" if value is None else FORMATS.get(name, "{}").format(value)


if __name__ == "__main__":
    job = snakemake  # noqa: F821
    with log_to(job.log[0]):
        run(
            figures=[Path(path) for path in job.input.figures],
            page=Path(job.output.page),
            table=Path(job.output.table),
        )
