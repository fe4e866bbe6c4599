"""Figure 6: the cost of Snakemake and of job starts at Aff-Wild2's number of tracks, on synthetic media of one second.

    python -m benchmarks.workflow

Work is measured from the logs: from a job's first line, written after its imports, to its last. The remaining core time
is the overhead of the workflow. For comparison, the same stages run as one job per video, on a subset of the videos.
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
    """Run Snakemake in a folder, on the benchmark's corpus, and return the seconds."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "overlay.yaml").write_text(overlay)
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), *arguments]
    command += ["--workflow-profile", str(ROOT / "profiles/default"), "--quiet", "all"]
    command += ["--configfile", str(ROOT / "benchmarks/workflow.yaml"), "overlay.yaml"]
    start = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True)
    return time.perf_counter() - start


def logged_work(logs: list[Path]) -> float:
    """Total of the seconds between the first and the last line of each log."""
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
    """The no-op, the share of overhead in a full run, and the overhead relative to one job per video and stage."""
    on_cores(CORES)
    snakemake("--cores", str(CORES), "results/demo/truth.parquet")  # making the media is not part of the measured work
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
    jobs, share, relative = f"{len(logs)} jobs", overhead / (CORES * wall), overhead / one_by_one
    either = {"target": "<= 0.2, or the next row", "met": share <= 0.2 or relative <= 0.25}
    return [
        limited("6 no-op, 545 tracks", noop, "s", at_most=15),
        replace(limited(f"6 scheduler and job starts, {jobs}", share, "of core time", at_most=0.2), **either),
        limited("6 the same relative to one job per video and stage", relative, "ratio", at_most=0.25),
    ]


def growth_work(scale: int) -> Callable[[], object]:
    """A dry run over `scale` quarters of the corpus, without any artifacts."""
    tracks = {"train_tracks": 62 * scale, "validation_tracks": 17 * scale, "test_tracks": 57 * scale}
    overlay, folder = f"demo: {{videos: {tracks}}}", FOLDER.with_name(f"workflow-{scale}")
    return lambda: snakemake("-n", "submission", overlay=overlay, folder=folder)


if __name__ == "__main__":
    show(rows())
