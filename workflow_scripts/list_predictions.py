"""List the predicted videos: for every person, the most frequent expression and the share of each expression."""

import logging
from pathlib import Path

import pandas as pd

from frame_expressions.artifacts.parquet import read_parquet, read_provenance
from frame_expressions.artifacts.text import write_text
from frame_expressions.prediction.frame_table import SUMMARY_COLUMNS, skipped_row, summary_rows
from frame_expressions.runtime.job import log_to, print_result


def run(
    *,
    tables: dict[str, Path],
    paths: dict[str, str],
    refused: dict[str, str],
    passed_over: dict[str, int],
    persons: str | int,
    videos: Path,
) -> None:
    """Write a TSV with one row per video and person, as `summary_rows` describes them, and print what was left out.

    tables, paths: the table and the file of each video, by its name. refused: by path, why a video was not read at all.
    passed_over: by suffix, the number of files that were not taken for videos. persons: whom the tracks follow, as in
    `folder.folder_tracks`.
    """
    rows = [skipped_row("", path, reason) for path, reason in refused.items()]
    for video, table in tables.items():
        settings = read_provenance(table)["settings"]
        rows += summary_rows(video, paths[video], read_parquet(table).to_pandas(), settings)
    found = pd.DataFrame(rows, columns=SUMMARY_COLUMNS)
    write_text(found.to_csv(sep="\t", index=False, float_format="%.4g", lineterminator="\n"), videos)
    num_skipped = int((found["frames"] == 0).sum())
    num_unpredicted = int(found["unpredicted"].sum())
    print_result(
        f"{len(tables) + len(refused) - num_skipped} videos, {int(found['frames'].sum())} frames: "
        f"{videos.parent}/<video>.mp4, .csv, .parquet, .png"
    )
    if num_unpredicted:
        print_result(f"frames without a prediction, having neither face nor audio: {num_unpredicted}, see {videos}")
    crowded = found.loc[found["not_followed"] > 0, "video"].nunique()
    if crowded and persons != "main":
        print_result(
            f"videos with more persons than were followed: {crowded}, see not_followed in {videos}; "
            "--config predict_persons=NUMBER follows more"
        )
    if num_skipped:
        print_result(f"videos skipped: {num_skipped}, for the reasons in {videos}")
    if passed_over:
        counts = ", ".join(f"{number} {suffix}" for suffix, number in passed_over.items())
        print_result(f"files passed over, since their suffix is no video's: {counts}")
    logging.info("made %s: %d rows", videos, len(found))


if __name__ == "__main__":
    job = snakemake  # noqa: F821
    with log_to(job.log[0]):
        folder, kept = Path(job.output.videos).parent, job.params.kept
        run(
            tables={name: folder / f"{name}.parquet" for name in sorted([*job.params.videos, *kept])},
            paths=job.params.videos | kept,
            refused=job.params.refused,
            passed_over=job.params.passed_over,
            persons=job.params.persons,
            videos=Path(job.output.videos),
        )
