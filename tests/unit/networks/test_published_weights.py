import pickle
import re
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from frame_expressions.networks.published_weights import check_names, check_tensors, read_state_dict, read_vector
from frame_expressions.runtime.errors import InputError
from tests.payload import RunsCode

STATE = {"a.weight": torch.arange(6.0).view(2, 3), "a.bias": torch.tensor([1.0, -1.0])}


def _same(found):
    assert found.keys() == STATE.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in STATE.items())


def _saved(content, path, **settings):
    torch.save(content, path, **settings)
    return path


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".bin"])
@pytest.mark.parametrize("wrapping", [None, "model", "state_dict", "teacher"])
def test_a_checkpoint_is_read_from_its_top_or_its_wrapping(tmp_path, suffix, wrapping):
    content = STATE if wrapping is None else {wrapping: STATE, "epoch": 3, "optimizer": {"state": {}}}
    _same(read_state_dict(_saved(content, tmp_path / f"weights{suffix}")))


def test_safetensors_are_read(tmp_path):
    save_file(STATE, tmp_path / "weights.safetensors")
    _same(read_state_dict(tmp_path / "weights.safetensors"))


def test_a_training_checkpoint_with_numpy_statistics_beside_the_weights_is_read(tmp_path):
    parameter = torch.nn.Parameter(torch.zeros(2))
    optimizer = torch.optim.AdamW([parameter])
    parameter.sum().backward()
    optimizer.step()
    content = {
        "model": STATE,
        "optimizer": optimizer.state_dict(),
        "scheduler": torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 3).state_dict(),
        "cfg": {"EXP_NAME": "gate", "AMP": True, "LR": 1e-4},
        "best": np.float64(0.5),
        "train_vis_mean": np.arange(3, dtype=np.float32),
        "val_cm": np.eye(8, dtype=np.int64),
    }
    path = _saved(content, tmp_path / "best.pt")
    _same(read_state_dict(path))
    # NumPy 1 wrote another module's name for the same function.
    older = tmp_path / "older.pt"
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(older, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if name.endswith("data.pkl"):
                assert b"numpy._core.multiarray" in data
                data = data.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
            target.writestr(name, data)
    _same(read_state_dict(older))


@pytest.mark.parametrize("place", ["top", "beside the weights", "inside an array"])
def test_an_object_that_runs_code_is_refused_and_not_run(tmp_path, place):
    canary = RunsCode(tmp_path / "canary")
    content = {
        "top": canary,
        "beside the weights": {"model": STATE, "cfg": canary},
        "inside an array": {"model": STATE, "cfg": np.array([canary], dtype=object)},
    }[place]
    path = _saved(content, tmp_path / "weights.pt")
    with pytest.raises(InputError, match=rf"{path} contains Python objects .* can run any code; .* as safetensors"):
        read_state_dict(path)
    assert not canary.canary.exists()
    torch.load(path, weights_only=False)
    assert canary.canary.exists()  # the bait was live


def test_a_plain_pickle_is_refused_and_not_run(tmp_path):
    path, canary = tmp_path / "weights.pth", tmp_path / "canary"
    path.write_bytes(pickle.dumps({"model": RunsCode(canary)}))
    with pytest.raises(InputError, match=rf"{path} is not a checkpoint in PyTorch's zip format"):
        read_state_dict(path)
    assert not canary.exists()
    pickle.loads(path.read_bytes())
    assert canary.exists()


def test_a_model_object_is_refused(tmp_path):
    with pytest.raises(InputError, match="contains Python objects besides tensors"):
        read_state_dict(_saved(torch.nn.Linear(2, 2), tmp_path / "weights.pt"))


def test_damaged_and_foreign_files_are_refused(tmp_path):
    path = _saved(STATE, tmp_path / "weights.pt")
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(InputError, match="or is cut off; fetch it again"):
        read_state_dict(path)
    path.write_bytes(b"\x80" + _saved(STATE, path).read_bytes()[1:])  # then torch takes it for an older format
    with pytest.raises(InputError, match="is not a checkpoint in PyTorch's zip format"):
        read_state_dict(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("notes.txt", "hello")
    with pytest.raises(InputError, match="cannot be read as a PyTorch checkpoint"):
        read_state_dict(path)
    save_file(STATE, tmp_path / "weights.safetensors")
    (tmp_path / "weights.safetensors").write_bytes((tmp_path / "weights.safetensors").read_bytes()[:-1])
    with pytest.raises(InputError, match="cannot be read as safetensors"):
        read_state_dict(tmp_path / "weights.safetensors")
    with pytest.raises(InputError, match=r"weights\.onnx is neither"):
        read_state_dict(tmp_path / "weights.onnx")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ([torch.zeros(1)], "holds a list, not a state dict"),
        ({"model": STATE, "teacher": STATE}, "weights under model and teacher"),
        ({"student": STATE, "epoch": 3}, "entry 'student' is a dict"),
        ({"model": {**STATE, "steps": 3}}, "entry 'steps' is a int"),
        ({**STATE, 3: torch.zeros(1)}, "entry 3 is a Tensor"),
    ],
)
def test_what_is_no_state_dict_is_refused(tmp_path, content, sentence):
    with pytest.raises(InputError, match=sentence):
        read_state_dict(_saved(content, tmp_path / "weights.pt"))


def test_vectors_are_read_strictly(tmp_path):
    path = tmp_path / "mean.npy"
    np.save(path, np.array([0.5, 2.0]))
    assert read_vector(path).dtype == np.float32 and read_vector(path).tolist() == [0.5, 2.0]
    for array in (np.zeros((1, 2)), np.array(1.0), np.array(["a"]), np.array([1j])):
        np.save(path, array)
        with pytest.raises(InputError, match=rf"{re.escape(str(path))} is not a one-dimensional array of numbers"):
            read_vector(path)
    canary = tmp_path / "canary"
    np.save(path, np.array([RunsCode(canary)], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match=r"cannot be read as an \.npy array"):
        read_vector(path)
    assert not canary.exists()
    np.savez(tmp_path / "mean.npz", np.zeros(2))
    whole = (
        np.lib.format.magic(1, 0)
        + b"v\0"
        + b"{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }".ljust(117)
        + b"\n"
    )
    huge = whole.replace(b"(2,), }    ", b"(9999999,)}")
    for content in (
        b"",
        b"PK\3\4",
        (tmp_path / "mean.npz").read_bytes(),
        whole,
        whole.replace(b"descr", b"de\0cr"),
        huge,
    ):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"cannot be read as an \.npy array"):
            read_vector(path)


def test_names_and_tensors_are_held_against_what_is_expected():
    check_names(["b", "a"], ["a", "b"], "file")
    with pytest.raises(InputError, match=r"^file lacks b, c; "):
        check_names(["a"], ["c", "b", "a"], "file")
    with pytest.raises(InputError, match=r"^file holds x1, x2, x3, x4, x5 and 2 more, which"):
        check_names([f"x{number}" for number in range(1, 8)], [], "file")
    check_tensors({"a": torch.zeros(2, 3)}, {"a": (2, 3)}, "file")
    with pytest.raises(InputError, match=r"a has the shape \(2, 3\), not \(3, 2\)"):
        check_tensors({"a": torch.zeros(2, 3)}, {"a": (3, 2)}, "file")
    for bad in (torch.tensor([float("nan")]), torch.tensor([float("inf")]), torch.tensor([1])):
        with pytest.raises(InputError, match="a has values that are not finite"):
            check_tensors({"a": bad}, {"a": (1,)}, "file")
