"""Stage I in two processes. They are started once for all tests, since each of them imports for seconds."""

import json
import shutil

import numpy as np
import pytest
import torch
from accelerate import PartialState
from safetensors.numpy import load_file

from frame_expressions.artifacts.parquet import read_parquet
from frame_expressions.encoders.loading import random_encoder, save_encoder
from frame_expressions.runtime.errors import InputError
from frame_expressions.stage1.checkpoint import Checkpoint
from tests.script.test_train_stage1 import AUGMENTATION, TRAINING, _images, _run
from tests.unit.encoders.networks import VISUAL
from tests.unit.stage1.test_training import _train
from workflow_scripts import train_stage1

# Nothing random but the order of the images and their crops, which do not depend on the number of processes.
STILL = {
    "frozen_blocks": 0,
    "moe": {
        "num_experts": 3,
        "depth": 1,
        "router_features": 4,
        "expansion": 2.0,
        "dropout": 0.0,
        "max_drop_path": 0.0,
        "top_k": 2,
        "balance_weight": 0.1,
    },
    "padaug": {"probability": 0.0, "bar_width": [0.03, 0.2], "max_l_area": 0.2, "max_shift": 0.02},
    "augmentation": AUGMENTATION
    | {"crop_scale": [0.5, 1.0], "flip_p": 0.0, "jitter_p": 0.0, "gray_p": 0.0, "blur_p": 0.0, "erase_p": 0.0},
    "training": TRAINING | {"epochs": 5, "batch_size": 8, "mixup_alpha": 0.0, "head_lr": 0.01},
}
real_fit, real_save = train_stage1._fit, Checkpoint.save


def fit_and_more(**settings):
    """What each process does: Stage I; a random run, whole and taken up after epoch 2; at last the second fails."""
    real_fit(**settings)
    folder, images = settings["outputs"].backbone.parent, list(settings["sets"].values())
    place = PartialState()

    def save_and_keep(checkpoint, state, parts):
        real_save(checkpoint, state, parts)
        if state.epoch == 2:
            shutil.copy(checkpoint.path, folder / "part.pt")

    Checkpoint.save = save_and_keep
    _, whole = _train(images, folder / "whole.pt")
    torch.save(torch.rand(4), folder / f"draws{place.process_index}.pt")
    Checkpoint.save = real_save
    place.wait_for_everyone()
    _, resumed = _train(images, folder / "part.pt")
    torch.save({"whole": vars(whole), "resumed": vars(resumed)}, folder / f"states{place.process_index}.pt")
    with pytest.raises(InputError, match="cannot share batches of 15 images equally among 2 processes"):
        _train(images, folder / "odd.pt", batch_size=15)
    if place.process_index == 1:
        raise InputError("face.png is not an image", "restore it")
    place.wait_for_everyone()  # for ever, were it not ended


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Folder with the results of one process (`1`) and of two (`2`)."""
    folder = tmp_path_factory.mktemp("processes")
    save_encoder(random_encoder(VISUAL, seed=0), folder / "encoder")
    images = _images(folder)
    _run(folder / "encoder", images, folder / "1", **STILL)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train_stage1, "_fit", fit_and_more)
        with pytest.raises(InputError, match=r"^face\.png is not an image; restore it\.$"):
            _run(folder / "encoder", images, folder / "2", **STILL, num_processes=2)
    return folder


def test_two_processes_train_like_one(folder):
    one, two = (read_parquet(folder / name / "history.parquet").to_pydict() for name in "12")
    assert two["train_loss"] == pytest.approx(one["train_loss"], abs=1e-5)
    assert one["train_loss"][-1] < one["train_loss"][0] - 0.5  # it did train
    assert two["val_macro_f1"] == pytest.approx(one["val_macro_f1"], abs=1e-12)
    assert len(set(one["val_macro_f1"])) > 1
    one, two = (json.loads((folder / name / "metrics.json").read_text()) for name in "12")
    assert one["val_confusion"] == two["val_confusion"]
    assert two["provenance"]["settings"]["num_processes"] == 2
    for name in ("backbone/model.safetensors", "head.safetensors"):
        one, two = (load_file(folder / number / name) for number in "12")
        assert one.keys() == two.keys()
        for key, tensor in one.items():
            assert np.abs(two[key] - tensor).max() < 1e-4, key


def test_two_processes_go_on_after_an_interruption_as_if_there_were_none(folder):
    states = [torch.load(folder / "2" / f"states{process}.pt") for process in (0, 1)]
    whole, resumed = states[0]["whole"], states[0]["resumed"]
    assert len(whole["history"]) == 4 and whole["history"] == resumed["history"]
    assert whole["best_epoch"] == resumed["best_epoch"]
    for name, tensor in whole["best_weights"].items():
        assert torch.equal(tensor, resumed["best_weights"][name]), name
        assert torch.equal(tensor, states[1]["whole"]["best_weights"][name]), name
    assert whole["history"] == states[1]["whole"]["history"]
    assert (whole["best_weights"]["backbone.embeddings.mask_token"] == 1.0).all()  # no gradient in either process


def test_each_process_draws_for_itself(folder):
    first, second = (torch.load(folder / "2" / f"draws{process}.pt") for process in (0, 1))
    assert not torch.equal(first, second)
