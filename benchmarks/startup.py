"""Figure 7: how long a job takes to start, in addition to Python and Snakemake themselves.

    python -m benchmarks.startup [--model SCRFD.onnx]

A job is a new process that imports Snakemake's module for scripts, then the rule's script, and creates what the rule
needs before its first frame: the detector. detect_faces starts with SCRFD if a model is given, else with the cascade.
"""

import argparse
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

from benchmarks.measuring import Row, limited, on_cores, seconds_in_turns, show

SNAKEMAKE = "import snakemake.script"
CASCADE = (
    "CascadeDetector(CascadeSettings(min_side_px=40, min_side_of='longer', scale_factor=1.2, step_ratio=1.5,"
    " min_neighbors=4))"
)
SCRFD = (
    "import pathlib; InsightFaceDetector(InsightFaceSettings(min_side_px=30, min_side_of='longer', input_px=[640],"
    " min_score=0.5, device='cpu'), pathlib.Path({model!r}), num_threads=1)"
)
STARTS = {
    "extract_frames": "",
    "detect_faces": "",
    "select_subject": "",
    "crop_faces": "",
    "resample_audio": "",
    "window_audio": "",
    "search_smoothing": "",
    "write_submission": "",
}


def rows(model: Path | None = None) -> list[Row]:
    """Seconds that the script of each rule adds to a start; none of them may import torch."""
    on_cores(1)
    detector = SCRFD.format(model=str(model)) if model else CASCADE
    starts = STARTS | {"detect_faces": f"from frame_expressions.faces.detectors import *; {detector}"}
    programs = {
        name: f"{SNAKEMAKE}; import workflow_scripts.{name}, sys; {start or 'pass'}; sys.exit('torch' in sys.modules)"
        for name, start in starts.items()
    }
    ways = {name: (partial(_run, program), 1) for name, program in {"snakemake": SNAKEMAKE, **programs}.items()}
    seconds = seconds_in_turns(ways)
    return [
        limited(f"7 start of {name}, no torch", seconds[name] - seconds["snakemake"], "s", at_most=1.0)
        for name in programs
    ]


def _run(program: str) -> None:
    """Run a program. A non-zero exit status, which means that torch was imported, is an error."""
    subprocess.run([sys.executable, "-c", program], check=True, env=os.environ | {"OMP_NUM_THREADS": "1"})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path)
    show(rows(parser.parse_args().model))
