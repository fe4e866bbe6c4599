"""Numbers that the small run computes, pinned so that no change affects its quality unnoticed.

    snakemake --cores 2 submission --configfile tests/configs/small.yaml
    python -m tests.workflow.pinned        # pins the numbers of this run; say in the commit why they changed

Numbers are compared within the rounding differences between processors, not bit by bit: products without AVX change a
logit by 0.0001, crops resized by another kernel by 0.017.
"""

import json
from pathlib import Path

import numpy as np

from frame_expressions.artifacts.parquet import read_parquet

PINNED = Path(__file__).with_suffix(".json")
FRAMES = 6


def numbers_of(results: Path) -> dict[str, list]:
    """Features of some frames of every split, [rows][D] by modality; logits of some test frames, [rows][8].

    And the predicted class of every row of the submission.
    """
    numbers: dict[str, list] = {}
    for modality in ("visual", "audio"):
        shards = sorted((results / "features" / modality).glob("*.npy"))
        numbers[modality] = [row for shard in shards for row in _some_rows(np.load(shard))]
    logits = read_parquet(results / "fusion/official/test_logits.parquet", columns=["logits"])["logits"]
    numbers["logits"] = _some_rows(np.array(logits.to_pylist()))
    lines = (results / "submission/predictions.txt").read_text().splitlines()[1:]
    numbers["predictions"] = [int(line.rpartition(",")[2]) for line in lines]
    return numbers


def _some_rows(values: np.ndarray) -> list[list[float]]:
    rows = np.linspace(0, len(values) - 1, FRAMES).astype(int)
    return [[round(float(value), 4) for value in row] for row in values[rows]]


if __name__ == "__main__":
    found = numbers_of(Path("results"))
    PINNED.write_text("{\n" + ",\n".join(f'"{name}": {json.dumps(rows)}' for name, rows in found.items()) + "\n}\n")
