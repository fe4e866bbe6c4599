"""Figure 8: whether time grows with the work, and memory not with a video's length.

    python -m benchmarks.growth [--model SCRFD.onnx]

Each figure's own work at once, twice and four times its size. Time is held against the work; a rule that works through
a video may take no more memory for a longer one.
"""

import argparse
from functools import partial
from pathlib import Path

from benchmarks import audio, faces, fusion, smoothing, visual, workflow
from benchmarks.measuring import Row, added_mib, limited, seconds_in_turns, show

SCALES = (1, 2, 4)
WORKS = {
    "2 visual features": visual.growth_work,
    "3 audio features": audio.growth_work,
    "4 smoothing search": smoothing.growth_work,
    "5 fusion training": fusion.growth_work,
    "6 dry run": workflow.growth_work,
}


def rows(model: Path | None = None) -> list[Row]:
    """For each figure, time per unit of work at twice and four times its size beside that at its own size."""
    works = dict(WORKS)
    if model:
        works["1 video to crops"] = partial(faces.growth_work, model=model)
    found = []
    for name, make in sorted(works.items()):
        seconds = seconds_in_turns({f"{scale}": (make(scale), scale) for scale in SCALES})
        found += [
            limited(
                f"8 figure {name}, {scale}x", seconds[f"{scale}"] / seconds["1"], "of the work's growth", at_most=1.1
            )
            for scale in SCALES[1:]
        ]
    if model:
        short, long = (added_mib(_work_through, scale, model) for scale in (SCALES[0], SCALES[-1]))
        found.append(limited("8 memory for four times the video", long / short, "of the shorter one's", at_most=1.1))
    return found


def _work_through(scale: int, model: Path) -> None:
    faces.growth_work(scale, model)()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path)
    show(rows(parser.parse_args().model))
