"""Measure all figures, each in its own process, and print one table.

    python -m benchmarks [--model SCRFD.onnx] [--only faces,smoothing]

This takes about an hour on two cores. Without a model, figures that need a face detector are skipped.
"""

import argparse
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from benchmarks.measuring import Row, rows_of, show

TABLE = Path("results/bench/table.csv")
FIGURES = ("faces", "visual", "audio", "smoothing", "fusion", "workflow", "startup", "growth", "disk")
NEED_A_MODEL = ("faces", "disk")
TAKE_A_MODEL = (*NEED_A_MODEL, "startup", "growth")


def main() -> None:
    """Measure the requested figures and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="an SCRFD detector")
    parser.add_argument("--only", type=lambda text: text.split(","), default=FIGURES)
    arguments = parser.parse_args()
    rows: list[Row] = []
    for figure in arguments.only:
        if figure in NEED_A_MODEL and arguments.model is None:
            print(f"{figure}: skipped, because it needs a face detector; add --model SCRFD.onnx")
            continue
        # Its own process: the cores, threads and memory of one figure must not affect the next.
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
            given = [arguments.model] if figure in TAKE_A_MODEL else []
            rows += process.submit(rows_of, figure, *given).result()
        show(rows, TABLE)


if __name__ == "__main__":
    main()
