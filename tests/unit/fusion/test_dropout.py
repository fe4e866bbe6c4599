import pytest
import torch
from torch import nn

from frame_expressions.fusion.dropout import Dropout

DTYPES = [torch.float32, torch.bfloat16]


def _dropped(p, shape=(400, 501), seed=0, dtype=torch.float32):
    torch.manual_seed(seed)
    return Dropout(p)(torch.ones(shape, dtype=dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("p", [0.2, 0.25, 0.5, 0.9])
def test_values_are_dropped_as_often_as_asked_and_scaled_to_keep_their_mean(p, dtype):
    dropped = _dropped(p, (1000, 1001), dtype=dtype)
    assert set(dropped.unique().tolist()) == {0.0, torch.tensor(1 / (1 - p), dtype=dtype).item()}
    assert (dropped != 0).double().mean().item() == pytest.approx(1 - p, abs=5 * (p * (1 - p) / 1e6) ** 0.5)


def test_neighbours_are_dropped_independently():
    kept = (_dropped(0.5, (200_000, 4)) != 0).float()
    pairs = torch.corrcoef(kept.T) - torch.eye(4)
    assert pairs.abs().max() < 0.012
    patterns = (kept @ torch.tensor([8.0, 4.0, 2.0, 1.0])).long().bincount(minlength=16)
    assert patterns.min() > 0.95 * 12_500 and patterns.max() < 1.05 * 12_500


def test_masks_depend_on_the_seed_and_follow_one_another():
    assert torch.equal(_dropped(0.3), _dropped(0.3))
    assert not torch.equal(_dropped(0.3), _dropped(0.3, seed=1))
    first = _dropped(0.3)
    assert not torch.equal(first, Dropout(0.3)(torch.ones(400, 501)))


@pytest.mark.parametrize("dtype", DTYPES)
def test_gradients_pass_where_values_do(dtype):
    torch.manual_seed(0)
    values = torch.full((7, 9), 3.0, dtype=dtype, requires_grad=True)
    dropped = Dropout(0.5)(values)
    dropped.sum().backward()
    assert torch.equal(values.grad * 3, dropped)
    assert 0 < (values.grad == 0).sum() < 63


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_nothing_or_everything_is_dropped_exactly(p):
    assert torch.equal(_dropped(p), torch.full((400, 501), 1 - p))


def test_evaluation_drops_nothing():
    values = torch.randn(50, 60)
    assert torch.equal(Dropout(0.2).eval()(values), nn.Dropout(0.2).eval()(values))
