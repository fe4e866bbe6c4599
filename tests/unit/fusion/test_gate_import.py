import re

import numpy as np
import pytest
import torch

from frame_expressions.fusion.gate_import import STATISTICS, gate_from_original, read_statistics
from frame_expressions.fusion.model import FusionModel
from frame_expressions.runtime.errors import InputError
from tests.original_weights import gate_logits, gate_state

THERE = torch.ones(5, dtype=torch.bool)


def _features():
    generator = torch.Generator().manual_seed(3)
    return 20 * torch.randn(5, 6, generator=generator), torch.randn(5, 5, generator=generator)


@torch.inference_mode()
def _logits(model):
    return model(*_features(), THERE, THERE)


def test_the_imported_gate_gives_the_original_names_logits(tmp_path):
    state, statistics = gate_state()
    model = gate_from_original(state, statistics, "gate.pt")
    expected = gate_logits(state, statistics, *_features())
    assert torch.allclose(_logits(model), expected, atol=1e-5)
    model.save(tmp_path / "model.safetensors", {})
    loaded = FusionModel.load(tmp_path / "model.safetensors")
    assert torch.allclose(_logits(loaded), expected, atol=1e-5)
    sizes = {"num_visual": 6, "num_audio": 5, "num_classes": 8, "num_fused": 7}
    assert sizes.items() <= loaded.settings.items() and loaded.settings["head"] == "gate"


def test_every_tensor_and_statistic_reaches_the_logits():
    state, statistics = gate_state()
    plain = _logits(gate_from_original(state, statistics, "gate.pt"))
    other_state, other_statistics = gate_state(seed=1)
    for name in [*state, *statistics]:
        changed = (
            {key: other_state[key] if key == name else tensor for key, tensor in state.items()},
            {key: other_statistics[key] if key == name else values for key, values in statistics.items()},
        )
        found = _logits(gate_from_original(*changed, "gate.pt"))
        assert torch.allclose(found, gate_logits(*changed, *_features()), atol=1e-5), name
        assert not torch.allclose(found, plain, atol=1e-3), name


def _refused(state, statistics, sentence):
    with pytest.raises(InputError, match=sentence):
        gate_from_original(state, statistics, "gate.pt")


def test_every_missing_unknown_or_misshapen_tensor_is_named():
    state, statistics = gate_state()
    for name, tensor in state.items():
        rest = {other: kept for other, kept in state.items() if other != name}
        _refused(rest, statistics, rf"^gate\.pt lacks {re.escape(name)};")
        _refused(state | {f"{name}_": tensor}, statistics, rf"^gate\.pt holds {re.escape(name)}_, which")
        _refused(
            state | {name: tensor * float("nan")}, statistics, rf"{re.escape(name)} has values that are not finite"
        )
    # Sizes come from the projections: where they do not fit together, what follows from them is named.
    for name in state.keys() - {"vis_proj.weight"}:
        longer = torch.cat([state[name], state[name][:1]])
        _refused(state | {name: longer}, statistics, rf"^gate\.pt: {re.escape(name)} has the shape")
    for name in ("vis_proj.weight", "aud_proj.weight"):
        _refused(state | {name: state[name][0]}, statistics, rf"^gate\.pt: {re.escape(name)} has the shape")
    wider = state | {"vis_proj.weight": torch.zeros(9, 6)}
    _refused(wider, statistics, r"vis_proj\.bias has the shape \(7,\), not \(9,\)")


def test_a_gate_for_other_classes_is_refused():
    _refused(*gate_state(num_classes=7), r"cls\.2\.weight has the shape \(7, 7\), not \(8, 7\)")


@pytest.mark.parametrize("name", STATISTICS)
def test_statistics_that_do_not_fit_are_named(name):
    state, statistics = gate_state()
    rest = {other: kept for other, kept in statistics.items() if other != name}
    _refused(state, rest, rf"^gate\.pt lacks {name};")
    _refused(state, statistics | {name: statistics[name][1:]}, rf"^gate\.pt: {name} has the shape")
    for value in (np.nan, np.inf):
        broken = statistics[name].copy()
        broken[-1] = value
        _refused(state, statistics | {name: broken}, rf"^gate\.pt: {name} has values that are not finite")
    if name.endswith("std"):
        broken = statistics[name].copy()
        broken[0] = -0.1
        _refused(state, statistics | {name: broken}, rf"^gate\.pt: {name} has negative values")


@pytest.mark.parametrize("name", ["train_vis_std", "train_aud_std"])
def test_a_tiny_standard_deviation_counts_as_a_millionth(name):
    """As in the authors' inference; a feature that never varies must not divide by 0."""
    state, statistics = gate_state()
    for value in (0.0, 1e-9, 1e-6):
        statistics[name][0] = value
        model = gate_from_original(state, statistics, "gate.pt")
        clamped = statistics | {name: np.maximum(statistics[name], np.float32(1e-6))}
        assert torch.allclose(_logits(model), gate_logits(state, clamped, *_features()), rtol=1e-4, atol=1e-4)
        assert statistics[name][0] == np.float32(value)


def test_statistics_are_read_from_files_or_from_the_checkpoint_itself(tmp_path):
    state, statistics = gate_state()
    for name, values in statistics.items():
        np.save(tmp_path / f"{name}.npy", values + 1)
    torch.save({"model": state, **statistics, "val_cm": np.eye(8, dtype=np.int64)}, tmp_path / "best.pt")
    inside = read_statistics(tmp_path / "best.pt", [])
    files = read_statistics(tmp_path / "best.pt", [tmp_path / f"{name}.npy" for name in statistics])
    assert inside.keys() == files.keys() == statistics.keys()
    for name, values in statistics.items():
        assert inside[name].dtype == np.float32 and np.array_equal(inside[name], values)
        assert np.array_equal(files[name], values + 1)
    torch.save({"model": state, **statistics, "train_aud_std": "text"}, tmp_path / "best.pt")
    with pytest.raises(InputError, match=r"best\.pt: train_aud_std is not a one-dimensional array of numbers"):
        read_statistics(tmp_path / "best.pt", [])
    torch.save({"model": state, "train_vis_mean": torch.zeros(6)}, tmp_path / "best.pt")
    with pytest.raises(InputError, match=r"best\.pt lacks train_aud_mean, train_aud_std, train_vis_std; put"):
        read_statistics(tmp_path / "best.pt", [])
