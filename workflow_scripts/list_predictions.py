"""List the predicted videos: for every person, the most frequent expression and the share of each expression."""

import logging
from pathlib import Path

import pandas as pd

from frame_expressions.artifacts.parquet import read_parquet, read_provenance
from frame_expressions.artifacts.text import write_text
from frame_expressions.media.timeline import read_start
from frame_expressions.prediction.frame_table import SUMMARY_COLUMNS, summary_rows
from frame_expressions.runtime.job import log_to, print_result


def run(*, tables: dict[str, Path], timelines: dict[str, str], paths: dict[str, str], videos: Path) -> None:
    """Write a TSV with one row per video and person, as `summary_rows` describes them.

    tables, timelines, paths: the table, the timeline and the file of each video, by its name.
    """
    rows = []
    for video, table in tables.items():
        timeline = Path(timelines[video])
        clock, _ = read_start(timeline)
        skipped = " ".join(read_provenance(timeline)["settings"].get("skipped", "").split())
        frames = read_parquet(table).to_pandas()
        rows += summary_rows(video, paths[video], frames, clock.num_discontinuities, skipped)
    found = pd.DataFrame(rows, columns=SUMMARY_COLUMNS)
    write_text(found.to_csv(sep="\t", index=False, float_format="%.4g", lineterminator="\n"), videos)
    folder = videos.parent
    num_skipped = int((found["frames"] == 0).sum())
    print_result(
        f"{len(tables) - num_skipped} videos, {int(found['frames'].sum())} frames: "
        f"{folder}/<video>.mp4, .csv, .parquet, .png"
    )
    if num_skipped:
        print_result(f"{num_skipped} videos could not be read and were skipped: {videos} gives the reasons")
    logging.info("made %s: %d rows", videos, len(found))


if __name__ == "__main__":
    job = snakemake  # noqa: F821
    with log_to(job.log[0]):
        run(
            tables={Path(path).stem: Path(path) for path in job.input.tables},
            timelines=job.params.timelines,
            paths=job.params.videos,
            videos=Path(job.output.videos),
        )
