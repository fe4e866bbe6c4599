import json
import logging
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open

from frame_expressions.artifacts.parquet import read_parquet, read_provenance
from frame_expressions.artifacts.provenance import sha256_of
from frame_expressions.corpora.faulty_images import FaultyImage, places_of, write_faulty_images
from frame_expressions.corpora.image_sets import HoldoutSettings, read_image_set
from frame_expressions.encoders.loading import load_encoder
from frame_expressions.runtime.errors import InputError
from frame_expressions.stage1.checkpoint import Checkpoint
from frame_expressions.stage1.settings import Stage1Settings
from tests.unit.stage1.test_training import SETTINGS
from workflow_scripts.train_stage1 import Outputs, run

TRAINING = SETTINGS
AUGMENTATION = {
    "crop_scale": [0.8, 1.0],
    "flip_p": 0.5,
    "jitter": [0.25, 0.25, 0.15, 0.02],
    "jitter_p": 0.8,
    "gray_p": 0.1,
    "blur_sigma": [0.1, 1.5],
    "blur_p": 0.1,
    "erase_scale": [0.02, 0.12],
    "erase_p": 0.25,
}


def _images(folder):
    rng = np.random.default_rng(0)
    lines = ["image,expression"]
    for number in range(40):
        name = ("Neutral", "Happiness")[number % 2]
        pixels = rng.integers(0, 60, (32, 32, 3)) + 180 * (number % 2)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number}.png")
        lines.append(f"{number}.png,{name}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    return [{"name": "mine", "layout": "table", "root": str(folder / "labels.csv")}]


def _run(encoder, images, out, num_workers=0, faulty_images=None, on_bad_image="stop", **changes):
    block = {
        "image_sets": images,
        "holdout": {"share": 0.25, "seed": 1},
        "frozen_embeddings": "none",
        "frozen_blocks": 1,
        "head": "moe",
        "moe": {
            "num_experts": 2,
            "depth": 1,
            "router_features": 4,
            "expansion": 2.0,
            "dropout": 0.1,
            "max_drop_path": 0.0,
            "top_k": None,
            "balance_weight": 0.0,
        },
        "padaug": {"probability": 0.6, "bar_width": [0.03, 0.2], "max_l_area": 0.2, "max_shift": 0.02},
        "augmentation": AUGMENTATION,
        "training": TRAINING | {"epochs": 2},
        "num_processes": 1,
    } | changes
    run(
        encoder=encoder,
        outputs=Outputs(out / "backbone", out / "head.safetensors", out / "history.parquet", out / "metrics.json"),
        settings=Stage1Settings.from_config(block, stored_px=32, image_px=28),
        num_workers=num_workers,
        device="cpu",
        num_threads=1,
        faulty_images=faulty_images,
        on_bad_image=on_bad_image,
    )


def test_the_backbone_is_adapted_and_saved_without_its_head(encoder, tmp_path):
    images = _images(tmp_path)
    _run(encoder, images, tmp_path / "out")
    before, after = load_encoder(encoder).state_dict(), load_encoder(tmp_path / "out" / "backbone").state_dict()
    assert before.keys() == after.keys()
    assert (before["encoder.layer.0.mlp.fc1.weight"] == after["encoder.layer.0.mlp.fc1.weight"]).all()
    assert (before["encoder.layer.1.mlp.fc1.weight"] != after["encoder.layer.1.mlp.fc1.weight"]).any()

    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert (metrics["num_train_images"], metrics["num_val_images"]) == (30, 10)
    assert metrics["num_left_out"] == {}
    assert sum(map(sum, metrics["val_confusion"])) == 10
    history = read_parquet(tmp_path / "out" / "history.parquet").to_pydict()
    assert history["epoch"] == [1, 2]
    assert max(history["val_macro_f1"]) == metrics["val_macro_f1"]
    assert read_provenance(tmp_path / "out" / "history.parquet")["settings"]["padaug"]["probability"] == 0.6
    assert not (tmp_path / "out" / ".checkpoint.pt").exists()


def test_two_runs_give_the_same_bytes(encoder, tmp_path):
    images = _images(tmp_path)
    for name in ("one", "two"):
        _run(encoder, images, tmp_path / name)
    for name in ("backbone/model.safetensors", "head.safetensors", "history.parquet", "metrics.json"):
        assert sha256_of(tmp_path / "one" / name) == sha256_of(tmp_path / "two" / name), name


def test_the_linear_head_takes_the_place_of_the_experts(encoder, tmp_path):
    _run(encoder, _images(tmp_path), tmp_path / "out", head="linear", frozen_embeddings="patches")
    with safe_open(tmp_path / "out" / "head.safetensors", "np") as head:
        assert set(head.keys()) == {"classifier.weight", "classifier.bias"}
        assert json.loads(head.metadata()["provenance"])["settings"]["head"] == "linear"
    before, after = load_encoder(encoder).state_dict(), load_encoder(tmp_path / "out" / "backbone").state_dict()
    changed = {name for name, tensor in after.items() if (tensor != before[name]).any()}
    assert "embeddings.patch_embeddings.projection.weight" not in changed
    assert {"embeddings.cls_token", "encoder.layer.1.mlp.fc1.weight"} <= changed


def test_killed_after_half_of_its_epochs_it_ends_like_an_uninterrupted_run(encoder, tmp_path):
    images = _images(tmp_path)
    _run(encoder, images, tmp_path / "whole", training=TRAINING | {"epochs": 12})
    process = multiprocessing.get_context("spawn").Process(
        target=_run,
        args=(encoder, images, tmp_path / "killed"),
        kwargs={"training": TRAINING | {"epochs": 12}},
    )
    process.start()
    checkpoint = tmp_path / "killed" / ".checkpoint.pt"
    while not (checkpoint.exists() and torch.load(checkpoint, weights_only=True)["progress"]["epoch"] >= 6):
        assert process.is_alive()
        time.sleep(0.005)
    process.kill()
    process.join()
    assert checkpoint.exists() and not (tmp_path / "killed" / "metrics.json").exists()
    _run(encoder, images, tmp_path / "killed", training=TRAINING | {"epochs": 12})
    for name in ("metrics.json", "history.parquet", "backbone/model.safetensors", "head.safetensors"):
        assert sha256_of(tmp_path / "killed" / name) == sha256_of(tmp_path / "whole" / name), name


def _logged_run(log, *arguments):
    logging.basicConfig(filename=log, level="INFO")
    _run(*arguments)


def test_another_number_of_decoding_processes_goes_on_with_the_checkpoint(encoder, tmp_path, monkeypatch):
    class Killed(Exception):
        pass

    images, real_save = _images(tmp_path), Checkpoint.save

    def save_then_die(*arguments):
        real_save(*arguments)
        raise Killed

    _run(encoder, images, tmp_path / "whole")
    monkeypatch.setattr(Checkpoint, "save", save_then_die)
    with pytest.raises(Killed):
        _run(encoder, images, tmp_path / "part")
    monkeypatch.undo()
    # In a process of its own: where kornia-rs has resized an image, it hangs in forked processes.
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as fresh:
        fresh.submit(_logged_run, tmp_path / "log", encoder, images, tmp_path / "part", 1).result()
    assert "resuming after epoch 1" in (tmp_path / "log").read_text()
    for name in ("metrics.json", "history.parquet", "backbone/model.safetensors", "head.safetensors"):
        assert sha256_of(tmp_path / "part" / name) == sha256_of(tmp_path / "whole" / name), name


@pytest.mark.parametrize("split", ["train", "validation"])
def test_image_sets_without_an_image_in_a_split_are_refused_at_once(encoder, tmp_path, split):
    images = _images(tmp_path)
    table = Path(images[0]["root"])
    header, *rows = table.read_text().splitlines()
    table.write_text("\n".join([f"{header},split", *(f"{row},{split}" for row in rows)]) + "\n")
    other = {"train": "validation", "validation": "train"}[split]
    with pytest.raises(InputError, match=rf"labels\.csv: no image is in the split {other}; correct the lists"):
        _run(encoder, images, tmp_path / "out")


def _list_as_faulty(folder, numbers):
    """Damage images of `_images`, and write the table that check_images would write."""
    found = read_image_set("table", folder / "labels.csv", HoldoutSettings(share=0.25, seed=1))
    item = {"name": "mine", "layout": "table", "root": str(folder / "labels.csv")}
    places = {place.path: place for place in places_of(item, found)}
    rows = [FaultyImage(*places[f"{number}.png"], "undecodable", "is empty") for number in numbers]
    for number in numbers:
        (folder / f"{number}.png").write_bytes(b"")
    write_faulty_images(rows, folder / "images.tsv")
    return folder / "images.tsv", [row.split for row in rows]


def test_images_that_the_check_lists_are_left_out_and_counted(encoder, tmp_path):
    images = _images(tmp_path)
    table, splits = _list_as_faulty(tmp_path, [3, 8, 21])
    with pytest.raises(InputError, match=r"\.png is not a readable image"):  # the last line of defence
        _run(encoder, images, tmp_path / "out")
    _run(encoder, images, tmp_path / "out", faulty_images=table, on_bad_image="skip")
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics["num_train_images"] == 30 - splits.count("train")
    assert metrics["num_val_images"] == 10 - splits.count("validation")
    assert metrics["num_left_out"] == {"undecodable": 3}
    assert metrics["provenance"]["inputs"]["images.tsv"] == sha256_of(table)


def test_images_that_an_earlier_run_skipped_stop_a_run_that_does_not_skip(encoder, tmp_path):
    images = _images(tmp_path)
    table, _ = _list_as_faulty(tmp_path, [3])
    sentence = r"images\.tsv lists 1 images .*on_bad_image: skip, which is now stop; delete it and run the same command"
    with pytest.raises(InputError, match=sentence):
        _run(encoder, images, tmp_path / "out", faulty_images=table)
    assert not (tmp_path / "out").exists()
