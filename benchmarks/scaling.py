"""What Snakemake needs to plan a large corpus: jobs, seconds and memory of a dry run over made-up videos.

    python -m benchmarks.scaling [--videos 10000]

Nothing is made yet and nothing is made here. A row is a size of batches, the first a job for each video and stage.
The jobs of profiles/slurm's groups count once in its queue.
"""

import argparse
import os
import re
import subprocess
import sys
import time

import yaml

from benchmarks.workflow import ROOT

FOLDER = ROOT / "results/bench/scaling"
BATCHES = (1, 4, 32, 100)
SHARDS = 16


def dry_run(num_videos: int, videos_per_batch: int) -> dict[str, float]:
    """Jobs, seconds and peak memory in MiB of `snakemake -n submission` over that many videos."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    test = num_videos // 4
    videos = {"train_tracks": num_videos - 2 * test, "validation_tracks": test, "test_tracks": test}
    overlay = {
        "corpus": {"videos_per_batch": videos_per_batch},
        "demo": {"videos": videos},
        "features": {"num_shards": SHARDS},
    }
    (FOLDER / "overlay.yaml").write_text(yaml.safe_dump(overlay))
    command = [sys.executable, "-m", "snakemake", "-n", "submission", "--snakefile", str(ROOT / "Snakefile")]
    command += [
        "--workflow-profile",
        str(ROOT / "profiles/default"),
        "--configfile",
        "overlay.yaml",
        "--quiet",
        "rules",
    ]
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=FOLDER, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    printed = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if status != 0:
        raise RuntimeError(printed[-2000:])
    counts = {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", printed, re.MULTILINE)}
    jobs = counts.pop("total")
    return {"jobs": jobs, "submitted": jobs - _saved(counts), "seconds": seconds, "mib": usage.ru_maxrss / 1024}


def _saved(counts: dict[str, int]) -> int:
    """How many jobs fewer go into the queue because they travel in groups."""
    profile = yaml.safe_load((ROOT / "profiles/slurm/config.yaml").read_text())
    members: dict[str, list[int]] = {}
    for rule, group in profile["groups"].items():
        members.setdefault(group, []).append(counts.get(rule, 0))
    together = profile["group-components"]
    return sum(sum(found) - -(-max(found) // together.get(group, 1)) for group, found in members.items())


def main() -> None:
    """Print a row for each size of batches."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, default=10_000)
    num_videos = parser.parse_args().videos
    print(f"{num_videos} videos\nvideos_per_batch    jobs  in Slurm's queue  seconds    MiB")
    for videos_per_batch in BATCHES:
        found = dry_run(num_videos, videos_per_batch)
        numbers = f"{found['jobs']:8}  {found['submitted']:16}  {found['seconds']:7.1f}  {found['mib']:5.0f}"
        print(f"{videos_per_batch:16}{numbers}", flush=True)


if __name__ == "__main__":
    main()
