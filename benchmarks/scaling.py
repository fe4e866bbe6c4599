"""Planning of a large corpus by Snakemake, by batch size: jobs, seconds and memory of dry runs.

    python -m benchmarks.scaling [--videos 10000]

The corpus is a table of synthetic videos without any artifacts, and none are made. The first row is one job per video
and stage. The jobs of a group in profiles/slurm count as one in the queue. A start is what each job does before its
own work: read the configuration and the corpus, and plan.
"""

import argparse
import json
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
SPLITS = ("train", "train", "validation", "test")


def make_corpus(num_videos: int) -> None:
    """Write one-byte videos and a table: half of them for training, a quarter in each of the other splits."""
    (FOLDER / "videos").mkdir(parents=True, exist_ok=True)
    lines = ["track\tpath\tsplit\tlabel"]
    for number in range(num_videos):
        path = FOLDER / f"videos/{number:07d}.mp4"
        if not path.exists():
            path.write_bytes(b"-")
        split = SPLITS[number % len(SPLITS)]
        lines.append(f"{path.stem}\t{path}\t{split}\t{'' if split == 'test' else 'Neutral'}")
    (FOLDER / "corpus.tsv").write_text("\n".join(lines) + "\n")
    (FOLDER / "faces.csv").touch()


def dry_run(target: str, videos_per_batch: int) -> tuple[str, float, float]:
    """Output of `snakemake -n target`, its seconds and its peak memory in MiB."""
    overlay = {
        "corpus": {"layout": "table", "table": "corpus.tsv", "videos_per_batch": videos_per_batch},
        "stage1": {"image_sets": [{"name": "faces", "layout": "table", "root": "faces.csv"}]},
        "features": {"num_shards": SHARDS},
    }
    (FOLDER / "overlay.json").write_text(json.dumps(overlay))
    profile = str(ROOT / "profiles/default")
    command = [sys.executable, "-m", "snakemake", "-n", target, "--snakefile", str(ROOT / "Snakefile")]
    command += ["--workflow-profile", profile, "--configfile", "overlay.json", "--quiet", "rules"]
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=FOLDER, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    printed = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if status != 0:
        raise RuntimeError(printed[-2000:])
    return printed, seconds, usage.ru_maxrss / 1024


def queued(counts: dict[str, int]) -> int:
    """Number of jobs in Slurm's queue, where the jobs of a group form one."""
    profile = yaml.safe_load((ROOT / "profiles/slurm/config.yaml").read_text())
    members: dict[str, list[int]] = {}
    for rule, group in profile["groups"].items():
        members.setdefault(group, []).append(counts.get(rule, 0))
    together = profile["group-components"]
    saved = sum(sum(found) - -(-max(found) // together.get(group, 1)) for group, found in members.items())
    return sum(counts.values()) - saved


def main() -> None:
    """Print a row per batch size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, default=10_000)
    num_videos = parser.parse_args().videos
    make_corpus(num_videos)
    print(f"{num_videos} videos\nvideos in a batch    jobs  in Slurm's queue  seconds    MiB  seconds per start")
    for videos_per_batch in BATCHES:
        printed, seconds, mib = dry_run("submission", videos_per_batch)
        counts = {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", printed, re.MULTILINE)}
        jobs = counts.pop("total")
        _, start, _ = dry_run("results/stage1/metrics.json", videos_per_batch)
        print(f"{videos_per_batch:17}{jobs:8}{queued(counts):18}{seconds:9.1f}{mib:7.0f}{start:20.1f}", flush=True)


if __name__ == "__main__":
    main()
