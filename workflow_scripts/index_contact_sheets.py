"""List the tracks by how doubtful the choice of their person is, as a page and as a table."""

import logging
from pathlib import Path

import pandas as pd

from frame_expressions.artifacts.text import read_json, write_text
from frame_expressions.report.page import page_of
from frame_expressions.report.sections.contact_sheets import COLUMNS, index_sections
from frame_expressions.runtime.job import log_to

WIDTH_REM = 90  # fits a whole sheet


def run(*, figures: list[Path], page: Path, table: Path) -> None:
    """Write the page and the table from the `figures` of every track; the sheets are next to the page."""
    logging.info("indexing %d contact sheets", len(figures))
    tracks = [read_json(path) for path in figures]
    tracks.sort(key=lambda track: (-track["doubt"], track["track"]))
    rows = pd.DataFrame([{name: track[name] for name in COLUMNS} for track in tracks], columns=list(COLUMNS))
    write_text(rows.to_csv(sep="\t", index=False, float_format="%.4f", lineterminator="\n"), table)
    introduction = f"{len(tracks)} tracks, the most doubtful first. Look at the first 20."
    write_text(page_of("Contact sheets", introduction, index_sections(tracks), WIDTH_REM), page)
    worst = f"{tracks[0]['track']} is the most doubtful, {tracks[0]['doubt']:.3f}" if tracks else "no tracks"
    logging.info("made %s: %s", page, worst)


if __name__ == "__main__":
    job = snakemake  # noqa: F821
    with log_to(job.log[0]):
        run(
            figures=[Path(path) for path in job.input.figures],
            page=Path(job.output.page),
            table=Path(job.output.table),
        )
