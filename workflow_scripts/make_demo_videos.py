"""Make the demo's videos, annotations and template in the layout of Aff-Wild2, and the truth of its test tracks."""

import logging
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import pyarrow as pa

from frame_expressions.artifacts.parquet import write_parquet
from frame_expressions.artifacts.provenance import provenance_of
from frame_expressions.artifacts.schemas import DEMO_TRUTH
from frame_expressions.artifacts.text import write_text
from frame_expressions.artifacts.vocabulary import EXPRESSIONS
from frame_expressions.demo import plan
from frame_expressions.demo.clip import Clip, annotation_rows, draw_audio, draw_frames, plan_clips, truth_of
from frame_expressions.demo.clip_writer import write_video
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

    Files of an earlier plan are removed; all others are kept. videos: the arguments of `plan_videos`.
    visual_gap_share, audio_gap_share: share of the time during which the face, or the audio, does not show the label.
    """
    story = {"visual_gap_share": visual_gap_share, "audio_gap_share": audio_gap_share, "seed": seed}
    planned = plan.plan_videos(**videos)
    clips = plan_clips(planned, **story)
    logging.info("making %d videos in %s with %s, %s", len(clips), root, videos, story)
    paths = plan.planned_paths(planned)
    for path in plan.recorded_paths(root) - set(paths):
        (root / path).unlink(missing_ok=True)
    # Longest first, so the processes finish at about the same time.
    work = sorted(clips, key=lambda clip: -clip.video.num_frames * clip.video.width_px)
    with ProcessPoolExecutor(num_processes, mp_context=multiprocessing.get_context("fork")) as pool:
        written = pool.map(partial(_write_video, root), work)
        frames = sum(progress(written, len(work), "demo videos", unit="videos"))
    for clip in clips:
        for place, person in enumerate(clip.video.persons):
            if person.annotation:
                _write_annotation(clip, place, root / person.annotation)
    _write_template(clips, root)
    write_text("\n".join(paths) + "\n", root / plan.RECORD)
    write_parquet(_truth_table(clips), truth, provenance_of({"videos": videos} | story))
    logging.info("made %d videos with %d frames, and %s", len(clips), frames, truth)


def _write_video(root: Path, clip: Clip) -> int:
    start_s = plan.LATE_AUDIO_S if clip.video.audio == "late" else 0.0
    samples = draw_audio(clip)
    if samples is not None:
        samples = samples[round(start_s * clip.video.sample_rate_hz) :]
    write_video(
        root / clip.video.path,
        draw_frames(clip),
        clip.video.fps,
        (clip.video.width_px, clip.video.height_px),
        samples,
        clip.video.sample_rate_hz,
        start_s,
    )
    return clip.video.num_frames


def _write_annotation(clip: Clip, place: int, path: Path) -> None:
    lines = [",".join(EXPRESSIONS), *map(str, annotation_rows(clip, place).tolist())]
    write_text("\n".join(lines) + "\n", path)


def _write_template(clips: list[Clip], root: Path) -> None:
    lines = ["image_location," + ",".join(EXPRESSIONS)]
    tracks = []
    for clip in clips:
        for person in clip.video.persons:
            if person.split == "test":
                tracks.append(person.track)
                rows = clip.video.num_frames + person.extra_rows
                lines += [f"{person.track}/{frame:05d}.jpg,0" for frame in range(1, rows + 1)]
    write_text("\n".join(lines) + "\n", root / plan.TEMPLATE)
    write_text("\n".join(tracks) + "\n", root / plan.TEST_TRACKS)


def _truth_table(clips: list[Clip]) -> pa.Table:
    tables = []
    for clip in clips:
        for place, person in enumerate(clip.video.persons):
            if person.split == "test":
                true = truth_of(clip, place)
                count = clip.video.num_frames
                tables.append(
                    pa.table(
                        {
                            "track": [person.track] * count,
                            "frame": range(1, count + 1),
                            "expression": true.expression,
                            "visual_informative": true.visual_informative,
                            "audio_informative": true.audio_informative,
                        },
                        DEMO_TRUTH,
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
