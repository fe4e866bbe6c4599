"""Sections on the run itself: versions, settings, run times."""

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pandas as pd
import yaml

from frame_expressions.report.page import Folded, Listing, Section, Table, Text

PACKAGES = (
    "snakemake",
    "torch",
    "transformers",
    "numpy",
    "scipy",
    "scikit-learn",
    "pandas",
    "pyarrow",
    "av",
    "opencv-python-headless",
    "insightface",
    "onnxruntime",
    "kornia",
    "matplotlib",
)


def settings_section(config: dict) -> Section:
    """Versions of the main packages, if installed where the report is written, and the whole configuration."""
    rows = [["python", platform.python_version()], *([name, found] for name in PACKAGES if (found := _version(name)))]
    listing = Listing(yaml.safe_dump(config, sort_keys=False, allow_unicode=True))
    blocks = [Table("Versions", ["package", "version"], rows), Folded("The whole configuration", [listing])]
    return Section("settings", "Versions and settings", blocks)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def run_times_section(benchmarks: Path) -> Section:
    """Time and memory of each rule's jobs, longest first, from the benchmark files that exist now."""
    jobs = pd.DataFrame(
        [
            {
                "rule": path.relative_to(benchmarks).parts[0].removesuffix(".tsv"),
                "s": row["s"],
                "max_rss": row["max_rss"],
            }
            for path in sorted(benchmarks.rglob("*.tsv"))
            for _, row in pd.read_csv(path, sep="\t", na_values="-").iterrows()
        ],
        columns=["rule", "s", "max_rss"],
    )
    if jobs.empty:
        return Section("times", "Run times", [Text(f"{benchmarks} contains no run times.")])
    rules = jobs.groupby("rule").agg(
        jobs=("s", "size"), total_s=("s", "sum"), median_s=("s", "median"), peak=("max_rss", "max")
    )
    rules = rules.sort_values("total_s", ascending=False, kind="stable")
    rows = [
        [
            row.Index,
            f"{row.jobs:,}",
            f"{row.total_s:,.1f}",
            f"{row.median_s:,.1f}",
            "-" if pd.isna(row.peak) else f"{row.peak:,.0f}",
        ]
        for row in rules.itertuples()
    ]
    text = (
        f"The latest jobs of each rule, {jobs['s'].sum() / 60:,.0f} min in total; jobs may have run in parallel. Run "
        "times are the only part of this page that differs between identical runs."
    )
    headers = ["rule", "jobs", "total (s)", "median (s)", "memory (MB)"]
    return Section("times", "Run times", [Text(text), Table("Run times and peak memory of each rule", headers, rows)])
