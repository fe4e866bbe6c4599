"""Learning rates over the steps of a training."""

import torch


def warmup_then_cosine(
    optimizer: torch.optim.Optimizer, *, num_steps: int, num_warmup_steps: int, min_lr: float
) -> torch.optim.lr_scheduler.LRScheduler:
    """Rise linearly to each group's learning rate in `num_warmup_steps`, then fall along a cosine to `min_lr`.

    A step is whatever the caller steps after: a batch or an epoch. Step k (from 1) of n in the warm-up has k / (n + 1)
    of the rate; step k of m after it has min_lr + (lr - min_lr) / 2 * (1 + cos(pi * (k - 1) / m)).
    """
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(num_steps - num_warmup_steps, 1), eta_min=min_lr)
    if num_warmup_steps == 0:
        return cosine
    linear = torch.optim.lr_scheduler.LinearLR(
        optimizer, start_factor=1 / (num_warmup_steps + 1), total_iters=num_warmup_steps
    )
    return torch.optim.lr_scheduler.SequentialLR(optimizer, [linear, cosine], milestones=[num_warmup_steps])
