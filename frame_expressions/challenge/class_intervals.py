"""Bootstrap intervals of each class's F1.

Shapes: G groups, R resamples, C classes.
"""

import numpy as np

from frame_expressions.challenge.scores import f1_of_confusion

_BATCH = 1000


def class_intervals(confusions: np.ndarray, num_resamples: int, seed: int) -> np.ndarray:
    """95 % percentile interval [C, 2] of each class's F1 over groups (videos) drawn with replacement, from [G, C, C].

    Frames of one video are not independent, so whole videos are drawn. With one group each interval is its F1.
    """
    rng, num_groups = np.random.default_rng(seed), len(confusions)
    found = []
    for first in range(0, num_resamples, _BATCH):
        size = min(_BATCH, num_resamples - first)
        times = rng.multinomial(num_groups, np.full(num_groups, 1 / num_groups), size)  # [R, G]
        found.append(f1_of_confusion(np.tensordot(times, confusions, axes=1)))  # [R, C]
    return np.percentile(np.concatenate(found), (2.5, 97.5), axis=0).T
