"""Figure 6: what Snakemake and the start of jobs cost at Aff-Wild2's number of tracks, on made-up media of one second.

    python -m benchmarks.workflow

Work is what the logs say: from a job's first line, written when its imports are done, to its last. The rest of the
cores' time is the workflow's own. Beside it: the same stages as one job for each video, on a part of the videos.
"""

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from benchmarks.measuring import Row, limited, on_cores, show
from frame_expressions.corpora.tracks import read_tracks

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "results/bench/workflow"
CORES = 2
SINGLE_VIDEOS = 40
STAGES = ("extract_frames", "detect_faces", "select_subject", "crop_faces", "resample_audio", "window_audio")


def snakemake(*arguments: str, overlay: str = "{}", folder: Path = FOLDER) -> float:
    """Seconds that Snakemake takes in a folder, on the benchmark's corpus."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "overlay.yaml").write_text(overlay)
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), *arguments]
    command += ["--workflow-profile", str(ROOT / "profiles/default"), "--quiet", "all"]
    command += ["--configfile", str(ROOT / "benchmarks/workflow.yaml"), "overlay.yaml"]
    start = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True)
    return time.perf_counter() - start


def logged_work(logs: list[Path]) -> float:
    """Seconds between the first and the last line of each log, together."""
    return sum(_logged_seconds(log) for log in logs)


def _logged_seconds(log: Path) -> float:
    times = []
    for line in log.read_text().splitlines():
        try:
            times.append(datetime.strptime(line[:23], "%Y-%m-%d %H:%M:%S,%f"))
        except ValueError:  # a line of a library or of a traceback
            continue
    return (times[-1] - times[0]).total_seconds() if times else 0.0


def rows() -> list[Row]:
    """The no-op, the share of the workflow in a full run, and that beside one job for each video and stage."""
    on_cores(CORES)
    snakemake("--cores", str(CORES), "results/demo/truth.parquet")  # the media are not the workflow's work
    before = set(FOLDER.rglob("results/logs/**/*.log"))
    wall = snakemake("--cores", str(CORES), "submission")
    logs = sorted(set(FOLDER.rglob("results/logs/**/*.log")) - before)
    overhead = CORES * wall - logged_work(logs)
    noop = min(snakemake("-n", "submission") for _ in range(3))

    videos = sorted({track.video for track in read_tracks(FOLDER / "results/corpus/tracks.tsv")})
    chosen = videos[:: len(videos) // SINGLE_VIDEOS]
    targets = [f"results/{stage}/{video}" for stage in ("crops", "audio_windows") for video in chosen]
    alone = snakemake("--cores", str(CORES), *targets, overlay="corpus: {videos_per_batch: 1}")
    single_logs = [FOLDER / f"results/logs/{stage}/{video}.log" for stage in STAGES for video in chosen]
    per_job = (CORES * alone - logged_work(single_logs)) / len(single_logs)
    one_by_one = per_job * len(videos) * len(STAGES)
    jobs, share, beside = f"{len(logs)} jobs", overhead / (CORES * wall), overhead / one_by_one
    either = {"target": "<= 0.2, or the next", "met": share <= 0.2 or beside <= 0.25}
    return [
        limited("6 no-op, 545 tracks", noop, "s", at_most=15),
        replace(limited(f"6 scheduler and job starts, {jobs}", share, "of the wall", at_most=0.2), **either),
        limited("6 the same beside a job a video and stage", beside, "ratio", at_most=0.25),
    ]


def growth_work(scale: int) -> Callable[[], object]:
    """A dry run over `scale` quarters of the corpus, of which nothing is made yet."""
    tracks = {"train_tracks": 62 * scale, "validation_tracks": 17 * scale, "test_tracks": 57 * scale}
    overlay, folder = f"demo: {{videos: {tracks}}}", FOLDER.with_name(f"workflow-{scale}")
    return lambda: snakemake("-n", "submission", overlay=overlay, folder=folder)


if __name__ == "__main__":
    show(rows())
