import math

import pytest
import torch

from frame_expressions.networks.schedule import warmup_then_cosine


def _rates(num_steps, num_warmup_steps, min_lr, lrs=(1.0,)):
    """The learning rates at which the steps run, one list per group."""
    parameters = [torch.nn.Parameter(torch.zeros(1)) for _ in lrs]
    groups = [{"params": [parameter], "lr": lr} for parameter, lr in zip(parameters, lrs, strict=True)]
    optimizer = torch.optim.SGD(groups)
    schedule = warmup_then_cosine(optimizer, num_steps=num_steps, num_warmup_steps=num_warmup_steps, min_lr=min_lr)
    rates = []
    for _ in range(num_steps):
        rates.append([group["lr"] for group in optimizer.param_groups])
        optimizer.step()
        schedule.step()
    return [list(group) for group in zip(*rates, strict=True)]


def test_twelve_steps_of_the_authors_for_every_group():
    # Step e of 12, counted from 1: min + (lr - min) / 2 * (1 + cos(pi * (e - 1) / 12)).
    head, block = _rates(12, 0, 1e-7, lrs=(3e-4, 8.7e-7))
    for lr, found in ((3e-4, head), (8.7e-7, block)):
        expected = [1e-7 + (lr - 1e-7) / 2 * (1 + math.cos(math.pi * (e - 1) / 12)) for e in range(1, 13)]
        assert found == pytest.approx(expected, rel=1e-9)
    assert head[0] == 3e-4 and head[6] == pytest.approx(1.5005e-4)  # half way: the mean of both ends
    assert head[11] == pytest.approx(1e-7 + 2.999e-4 * 0.0170371, rel=1e-5)  # the last is above the floor


@pytest.mark.parametrize(
    ("num_warmup_steps", "expected"),
    [
        (1, [0.5, 1.0, 0.75, 0.25]),
        (2, [1 / 3, 2 / 3, 1.0, 0.5]),
        (3, [0.25, 0.5, 0.75, 1.0]),
        (9, [0.1, 0.2, 0.3, 0.4]),
    ],
)
def test_the_warmup_rises_evenly_and_the_cosine_has_the_other_steps(num_warmup_steps, expected):
    assert _rates(4, num_warmup_steps, 0.0) == [pytest.approx(expected)]
