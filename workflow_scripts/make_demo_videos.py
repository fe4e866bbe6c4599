"""Make the demo's videos, annotations and template in the layout of Aff-Wild2, and the hidden truth of its tests."""

import logging
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import pyarrow as pa

from frame_expressions.artifacts.parquet import write_parquet
from frame_expressions.artifacts.provenance import provenance_of
from frame_expressions.artifacts.text import write_text
from frame_expressions.artifacts.vocabulary import EXPRESSIONS
from frame_expressions.demo import plan
from frame_expressions.demo.clip_writer import write_video
from frame_expressions.demo.film import Film, annotation_rows, draw_frames, draw_sound, plan_films, truth_of
from frame_expressions.runtime.job import log_to, progress


def run(
    *,
    root: Path,
    truth: Path,
    seed: int,
    videos: dict,
    visual_gap_share: float,
    audio_gap_share: float,
    num_processes: int,
) -> None:
    """Write every file of the plan under `root`, and the truth of the test tracks.

    What an earlier plan left there is removed, other files stay. videos: the arguments of `plan_videos`;
    visual_gap_share, audio_gap_share: share of the time in which the face or the sound does not show the label.
    """
    story = {"visual_gap_share": visual_gap_share, "audio_gap_share": audio_gap_share, "seed": seed}
    planned = plan.plan_videos(**videos)
    films = plan_films(planned, **story)
    logging.info("making %d videos in %s with %s, %s", len(films), root, videos, story)
    paths = plan.planned_paths(planned)
    for path in plan.recorded_paths(root) - set(paths):
        (root / path).unlink(missing_ok=True)
    # The longest first, so that the processes end together.
    work = sorted(films, key=lambda film: -film.video.num_frames * film.video.width_px)
    with ProcessPoolExecutor(num_processes, mp_context=multiprocessing.get_context("fork")) as pool:
        written = pool.map(partial(_write_video, root), work)
        frames = sum(progress(written, len(work), "demo videos", unit="videos"))
    for film in films:
        for place, person in enumerate(film.video.persons):
            if person.annotation:
                _write_annotation(film, place, root / person.annotation)
    _write_template(films, root)
    write_text("\n".join(paths) + "\n", root / plan.RECORD)
    write_parquet(_truth_table(films), truth, provenance_of({"videos": videos} | story))
    logging.info("made %d videos with %d frames, and %s", len(films), frames, truth)


def _write_video(root: Path, film: Film) -> int:
    start_s = plan.LATE_SOUND_S if film.video.sound == "late" else 0.0
    samples = draw_sound(film)
    if samples is not None:
        samples = samples[round(start_s * film.video.sample_rate_hz) :]
    write_video(
        root / film.video.path,
        draw_frames(film),
        film.video.fps,
        (film.video.width_px, film.video.height_px),
        samples,
        film.video.sample_rate_hz,
        start_s,
    )
    return film.video.num_frames


def _write_annotation(film: Film, place: int, path: Path) -> None:
    lines = [",".join(EXPRESSIONS), *map(str, annotation_rows(film, place).tolist())]
    write_text("\n".join(lines) + "\n", path)


def _write_template(films: list[Film], root: Path) -> None:
    lines = ["image_location," + ",".join(EXPRESSIONS)]
    tracks = []
    for film in films:
        for person in film.video.persons:
            if person.split == "test":
                tracks.append(person.track)
                rows = film.video.num_frames + person.extra_rows
                lines += [f"{person.track}/{frame:05d}.jpg,0" for frame in range(1, rows + 1)]
    write_text("\n".join(lines) + "\n", root / plan.TEMPLATE)
    write_text("\n".join(tracks) + "\n", root / plan.TEST_TRACKS)


def _truth_table(films: list[Film]) -> pa.Table:
    tables = []
    for film in films:
        for place, person in enumerate(film.video.persons):
            if person.split == "test":
                true = truth_of(film, place)
                count = film.video.num_frames
                tables.append(
                    pa.table(
                        {
                            "track": pa.array([person.track] * count, pa.string()),
                            "frame": pa.array(range(1, count + 1), pa.int32()),
                            "expression": pa.array(true.expression, pa.int8()),
                            "visual_informative": pa.array(true.visual_informative, pa.bool_()),
                            "audio_informative": pa.array(true.audio_informative, pa.bool_()),
                        }
                    )
                )
    return pa.concat_tables(tables)


if __name__ == "__main__":
    job = snakemake  # noqa: F821
    with log_to(job.log[0]):
        run(
            root=Path(job.params.root),
            truth=Path(job.output.truth),
            seed=job.params.seed,
            videos=job.params.videos,
            visual_gap_share=job.params.visual_gap_share,
            audio_gap_share=job.params.audio_gap_share,
            num_processes=job.threads,
        )
