"""All figures, one after the other, each in a process of its own; one table at the end.

    python -m benchmarks [--model SCRFD.onnx] [--only faces,smoothing]

Takes about an hour on two cores. Figures that need a face detector are left out without a model.
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
    """Measure what was asked for and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="an SCRFD detector")
    parser.add_argument("--only", type=lambda text: text.split(","), default=FIGURES)
    arguments = parser.parse_args()
    rows: list[Row] = []
    for figure in arguments.only:
        if figure in NEED_A_MODEL and arguments.model is None:
            print(f"{figure}: left out, since it needs a face detector; add --model SCRFD.onnx")
            continue
        # A process of its own: cores, threads and memory of one figure do not reach the next.
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
            given = [arguments.model] if figure in TAKE_A_MODEL else []
            rows += process.submit(rows_of, figure, *given).result()
        show(rows, TABLE)


if __name__ == "__main__":
    main()
