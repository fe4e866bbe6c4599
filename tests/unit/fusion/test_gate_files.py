"""The files of a published gate, found and missing, before anything is read with torch."""

import numpy as np
import pytest
import torch

from frame_expressions.fusion.gate_files import STATISTICS, gate_fault, gate_files


def _gate(folder, weights=("best.pt",), statistics=tuple(STATISTICS)):
    folder.mkdir()
    for name in weights:
        (folder / name).write_bytes(b"weights")
    for name in statistics:
        (folder / f"{name}.npy").touch()
    return str(folder)


@pytest.mark.parametrize("weights", ["best.pt", "gate.pth", "pytorch_model.bin", "model.safetensors"])
def test_a_complete_folder(tmp_path, weights):
    folder = _gate(tmp_path / "gate", [weights])
    (tmp_path / "gate/log.txt").touch()
    assert gate_fault(folder) is None
    names = (weights, "train_vis_mean.npy", "train_vis_std.npy", "train_aud_mean.npy", "train_aud_std.npy")
    assert gate_files(folder) == [f"{folder}/{name}" for name in names]


def test_statistics_in_the_checkpoint_replace_the_files(tmp_path):
    folder = _gate(tmp_path / "gate", [], [])
    held = {name: np.zeros(3, np.float32) for name in STATISTICS}
    torch.save({"model": {}, **held}, tmp_path / "gate/best.pt")
    assert gate_fault(folder) is None and gate_files(folder) == [f"{folder}/best.pt"]
    held.pop("train_aud_std")
    torch.save({"model": {}, **held}, tmp_path / "gate/best.pt")
    assert gate_fault(folder) == (
        f"{folder} lacks train_vis_mean.npy, train_vis_std.npy, train_aud_mean.npy, train_aud_std.npy"
    )


def test_what_is_missing_is_named(tmp_path):
    folder = _gate(tmp_path / "a", statistics=["train_vis_mean", "train_aud_std"])
    assert gate_fault(folder) == f"{folder} lacks train_vis_std.npy, train_aud_mean.npy"
    folder = _gate(tmp_path / "b", ["model.safetensors"], [])
    assert gate_fault(folder).startswith(f"{folder} lacks train_vis_mean.npy, ")
    folder = _gate(tmp_path / "c", [])
    assert gate_fault(folder) == f"{folder} has no weights (.pt, .pth, .bin or .safetensors)"
    folder = _gate(tmp_path / "d", ["best.pt", "last.pt"])
    assert gate_fault(folder) == f"{folder} has several files of weights (best.pt, last.pt)"
    assert gate_fault(str(tmp_path / "none")) == f"{tmp_path}/none does not exist"
    assert gate_fault(f"{folder}/best.pt") == f"{folder}/best.pt is not a folder"
    assert gate_files(str(tmp_path / "none")) == []
    folder = _gate(tmp_path / "e", ["best{fold}.pt"])
    assert gate_fault(folder).startswith(f"{folder}/best{{fold}}.pt ")


def test_a_folder_of_folds_is_recognised(tmp_path):
    run = tmp_path / "av_concat_gate_cv5"
    run.mkdir()
    folds = [_gate(run / f"fold_{number}") for number in (2, 1)]
    assert gate_fault(str(run)) == (
        f"{run} has no weights (.pt, .pth, .bin or .safetensors); its folders have: {folds[1]}, {folds[0]}"
    )
