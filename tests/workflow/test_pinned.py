"""Features and predictions of the small run have not changed: faster code must give the same results."""

import json

import numpy as np
import pytest

from tests.workflow.pinned import PINNED, numbers_of


@pytest.fixture(scope="module")
def numbers(finished):
    return numbers_of(finished.root / "results"), json.loads(PINNED.read_text())


@pytest.mark.parametrize("modality", ["visual", "audio"])
def test_features_keep_their_direction(numbers, modality):
    now, pinned = (np.array(found[modality]) for found in numbers)
    assert now.shape == pinned.shape
    lengths = np.linalg.norm(now, axis=1) * np.linalg.norm(pinned, axis=1)
    seen = lengths > 0
    assert np.array_equal(seen, np.linalg.norm(pinned, axis=1) > 0)
    cosines = (now * pinned).sum(axis=1)[seen] / lengths[seen]
    assert cosines.min() > 0.9999


def test_logits_and_predictions_are_unchanged(numbers):
    now, pinned = (np.array(found["logits"]) for found in numbers)
    assert np.abs(now - pinned).max() < 0.005
    classes, kept = (np.array(found["predictions"]) for found in numbers)
    assert len(classes) == len(kept) and (classes == kept).mean() > 0.95
