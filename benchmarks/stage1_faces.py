"""Stage I on a folder of real faces, from scratch: the mixture of experts compared with a plain linear head.

    python -m benchmarks.stage1_faces --images FOLDER [--seeds 3] [--out results/faces]

FOLDER holds images and labels.csv (image, expression). Classes with fewer than 150 images are excluded. Similar images
share a group, and a fifth of the groups, stratified by class, is held out. The encoder is the demonstration's small
DINOv2 with random weights; nothing is pretrained. Prints the macro-F1 over the remaining classes for each head and
seed, at the best epoch on the held-out images, as in Stage I.
"""

import argparse
import json
import logging
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from scipy.sparse.csgraph import connected_components
from snakemake.utils import update_config

from frame_expressions.artifacts.vocabulary import EXPRESSIONS
from frame_expressions.encoders.loading import random_encoder, save_encoder
from frame_expressions.encoders.preprocessing import decode
from frame_expressions.faces.resizing import resize
from frame_expressions.stage1.settings import Stage1Settings
from workflow_scripts import train_stage1

ROOT = Path(__file__).parents[1]
MIN_IMAGES = 150
ALIKE = 0.9
"""Two images whose 24 x 24 px thumbnails correlate more than this count as one moment of one person."""


def write_table(images: Path, table: Path) -> pd.DataFrame:
    """Write the images of the larger classes, with their groups, as a table image set, and return it."""
    rows = pd.read_csv(images / "labels.csv")
    rows = rows[rows.groupby("expression")["image"].transform("size") >= MIN_IMAGES].reset_index(drop=True)
    rows["group"] = _groups([images / name for name in rows["image"]])
    rows["image"] = [str((images / name).resolve()) for name in rows["image"]]
    table.parent.mkdir(parents=True, exist_ok=True)
    rows.to_csv(table, sep="\t", index=False)
    return rows


def _groups(paths: list[Path]) -> np.ndarray:
    """Group numbers: images that are similar, directly or through others, share a group."""
    thumbnails = np.stack([resize(decode(path), 24).mean(axis=-1).ravel() for path in paths])
    thumbnails -= thumbnails.mean(axis=1, keepdims=True)
    thumbnails /= np.linalg.norm(thumbnails, axis=1, keepdims=True)
    return connected_components(thumbnails @ thumbnails.T > ALIKE, directed=False)[1]


def score(config: dict, table: Path, head: str, seed: int, out: Path) -> dict[str, float]:
    """Train Stage I once and return the held-out F1 of each remaining class."""
    visual, stage1 = config["encoders"]["visual"], config["stage1"]
    block = stage1 | {
        "image_sets": [{"name": "faces", "layout": "table", "root": str(table)}],
        "head": head,
        "training": stage1["training"] | {"seed": stage1["training"]["seed"] + seed},
        "num_processes": 1,
    }
    save_encoder(random_encoder(visual["architecture"], visual["seed"] + seed), out / "encoder")
    train_stage1.run(
        encoder=out / "encoder",
        outputs=train_stage1.Outputs(
            out / "backbone", out / "head.safetensors", out / "history.parquet", out / "metrics.json"
        ),
        settings=Stage1Settings.from_config(block, stored_px=visual["resize_px"], image_px=visual["image_px"]),
        num_workers=config["execution"]["num_workers"],
        device=config["compute"]["device"],
        num_threads=config["compute"]["num_threads"],
    )
    metrics = json.loads((out / "metrics.json").read_text())
    shown = np.array(metrics["val_confusion"]).sum(axis=1) > 0
    return {name: metrics["val_f1"][name] for name, there in zip(EXPRESSIONS, shown, strict=True) if there}


def main() -> None:
    """Train both heads over all seeds and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("results/faces"))
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    update_config(config, yaml.safe_load((ROOT / "benchmarks/stage1_faces.yaml").read_text()))
    table = arguments.out / "faces.tsv"
    rows = write_table(arguments.images, table)
    counts = rows["expression"].value_counts()
    print(f"{len(rows)} images, {rows['group'].nunique()} groups: {', '.join(f'{k} {v}' for k, v in counts.items())}")
    found = [
        {"head": head, "seed": seed, **score(config, table, head, seed, arguments.out / f"{head}-{seed}")}
        for seed in range(arguments.seeds)
        for head in ("moe", "linear")
    ]
    scores = pd.DataFrame(found).set_index(["head", "seed"]).sort_index()
    scores.insert(0, "macro_f1", scores.mean(axis=1))
    print(scores.to_string(float_format="%.4f"))
    print(scores.groupby("head").agg(["mean", "std"])["macro_f1"].to_string(float_format="%.4f"))


if __name__ == "__main__":
    main()
