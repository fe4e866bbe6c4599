"""Stage I with and without PadAug, on its validation images with black bars drawn on them.

    python -m benchmarks.stage1_bars

Uses the models that `make ablation` trained: the encoder and mixture of experts of each variant, three seeds. Prints
the mean macro-F1 and that of each seed: on the unchanged images, with PadAug's own bars, and with wider bars.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
import yaml
from safetensors.torch import load_file
from snakemake.utils import update_config

from frame_expressions.challenge.scores import macro_f1
from frame_expressions.corpora.image_sets import read_image_set
from frame_expressions.encoders.loading import load_encoder
from frame_expressions.encoders.preprocessing import centre_crop, decode, normalise, to_unit
from frame_expressions.faces.resizing import resize
from frame_expressions.stage1.heads import make_head
from frame_expressions.stage1.moe import MoESettings
from frame_expressions.stage1.padaug import PadAug, PadAugSettings

ROOT = Path(__file__).parents[1]
TRAINED = {
    "with PadAug": ["results/stage1", "results/ablation/stage1/method-1", "results/ablation/stage1/method-2"],
    "without": [f"results/ablation/stage1/without_padaug-{run}" for run in range(3)],
}
WIDER = (0.2, 0.3)
BATCH = 120


def validation_images(config: dict) -> tuple[torch.Tensor, np.ndarray]:
    """Images [B, 3, P, P] in [0, 1], RGB, and their classes [B]."""
    images, labels = [], []
    for entry in config["stage1"]["image_sets"]:
        found = read_image_set(entry["layout"], Path(entry["root"]))
        chosen = np.flatnonzero(found.split == "validation")
        images += [resize(decode(found.paths[row]), config["encoders"]["visual"]["resize_px"]) for row in chosen]
        labels.append(found.labels[chosen])
    pixels = to_unit(torch.from_numpy(np.stack(images)))
    return centre_crop(pixels, config["encoders"]["visual"]["image_px"]), np.concatenate(labels)


@torch.inference_mode()
def predict(folder: Path, images: torch.Tensor, moe: dict) -> np.ndarray:
    """Most likely class [B] of a trained Stage I."""
    encoder = load_encoder(folder / "backbone")
    head = make_head("moe", encoder.config.hidden_size, 8, moe=MoESettings(**moe))
    head.load_state_dict(load_file(folder / "head.safetensors"))
    head.eval()
    tokens = [encoder(pixel_values=normalise(batch)).last_hidden_state[:, 0] for batch in images.split(BATCH)]
    return head(torch.cat(tokens))[0].argmax(dim=1).numpy()


def main() -> None:
    """Print the table."""
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    update_config(config, yaml.safe_load((ROOT / "tests/configs/ablation.yaml").read_text()))
    images, labels = validation_images(config)
    padaug = config["stage1"]["padaug"] | {"probability": 1.0}
    barred = {
        "unchanged": images,
        "PadAug's bars": PadAug(PadAugSettings(**padaug))(images, torch.Generator().manual_seed(0)),
        f"bars of {WIDER[0]:.0%} to {WIDER[1]:.0%}": PadAug(
            PadAugSettings(**padaug | {"bar_width": WIDER, "max_l_area": 1.0})
        )(images, torch.Generator().manual_seed(0)),
    }
    rows = [
        {"images": name, "Stage I": variant, "seed": seed, "macro-F1": macro_f1(labels, predicted)}
        for variant, folders in TRAINED.items()
        for seed, folder in enumerate(folders)
        for name, painted in barred.items()
        for predicted in [predict(Path(folder), painted, config["stage1"]["moe"])]
    ]
    table = pd.DataFrame(rows).pivot_table(index=["images", "Stage I"], columns="seed", values="macro-F1", sort=False)
    table.insert(0, "mean", table.mean(axis=1))
    print(f"{len(labels)} images")
    print(table.to_string(float_format="%.3f"))


if __name__ == "__main__":
    main()
