"""Say of every predicted video, and every person in it, what was predicted most."""

import logging
from pathlib import Path

import pandas as pd

from frame_expressions.artifacts.parquet import read_parquet
from frame_expressions.artifacts.text import write_text
from frame_expressions.artifacts.vocabulary import EXPRESSIONS
from frame_expressions.faces.subject import ABSENT
from frame_expressions.runtime.job import log_to, print_result


def run(*, tables: dict[str, Path], paths: dict[str, str], videos: Path) -> None:
    """Write a TSV, one row for each video and person: its file, frames, seconds, share of frames with a face, the most
    frequent expression and each one's share. A video without frames has one row without figures.

    tables, paths: the table and the file of each video, by its name.
    """
    rows = [row for video, table in tables.items() for row in _rows(video, paths[video], read_parquet(table))]
    found = pd.DataFrame(rows)
    write_text(found.to_csv(sep="\t", index=False, float_format="%.4g", lineterminator="\n"), videos)
    folder = videos.parent
    print_result(
        f"{len(tables)} videos, {int(found['frames'].sum())} frames: {folder}/<video>.mp4, .csv, .parquet, .png"
    )
    logging.info("made %s: %d rows", videos, len(found))


def _rows(video: str, path: str, table) -> list[dict]:
    frames = table.to_pandas()
    named = {"video": video, "file": path}
    if frames.empty:
        return [named | {"frames": 0}]
    rows = []
    for person, of_person in frames.groupby("person"):
        share = of_person["expression"].value_counts(normalize=True)
        rows.append(
            named
            | {
                "person": person,
                "frames": len(of_person),
                "last_frame_s": f"{round(of_person['time_s'].max(), 3):.12g}",  # to the millisecond however late
                "with_face": (of_person["face"] != ABSENT).mean(),
                "most_frequent": share.idxmax(),
            }
            | {name: share.get(name, 0.0) for name in EXPRESSIONS}
        )
    return rows


if __name__ == "__main__":
    job = snakemake  # noqa: F821
    with log_to(job.log[0]):
        run(
            tables={Path(path).stem: Path(path) for path in job.input.tables},
            paths=job.params.videos,
            videos=Path(job.output.videos),
        )
