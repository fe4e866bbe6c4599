"""Figure 8: time should grow in proportion to the work, and memory should not grow with the length of a video.

    python -m benchmarks.growth [--model SCRFD.onnx]

Runs the work of each figure at one, two and four times its size. Time is compared with the amount of work; a rule that
processes a video must not need more memory for a longer one.
"""

import argparse
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from pathlib import Path

from benchmarks import faces
from benchmarks.measuring import Row, added_mib, limited, seconds_in_turns, show

SCALES = (1, 2, 4)
WORKS = {
    "faces": "1 video to crops",
    "visual": "2 visual features",
    "audio": "3 audio features",
    "smoothing": "4 smoothing search",
    "fusion": "5 fusion training",
    "workflow": "6 dry run",
}


def rows(model: Path | None = None) -> list[Row]:
    """For each figure, time per unit of work at two and four times its size, relative to that at its own size."""
    found = []
    for figure, name in WORKS.items():
        if figure == "faces" and model is None:
            continue
        # Its own process: each figure has its own number of cores and threads.
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
            seconds = process.submit(_seconds, figure, model).result()
        found += [
            limited(f"8 figure {name}, {scale}x", seconds[scale] / seconds[1], "of the growth of the work", at_most=1.1)
            for scale in SCALES[1:]
        ]
    if model:
        short, long = (added_mib(_work_through, scale, model) for scale in (SCALES[0], SCALES[-1]))
        found.append(limited("8 memory for four times the video", long / short, "of the shorter video's", at_most=1.1))
    return found


def _seconds(figure: str, model: Path | None) -> dict[int, float]:
    """Seconds per unit of a figure's work, by scale."""
    given = [model] if figure == "faces" else []
    make = import_module(f"benchmarks.{figure}").growth_work
    return seconds_in_turns({scale: (make(scale, *given), scale) for scale in SCALES})


def _work_through(scale: int, model: Path) -> None:
    faces.growth_work(scale, model)()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path)
    show(rows(parser.parse_args().model))
