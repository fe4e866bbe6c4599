"""How training reads its frames: order, memory, errors."""

import time

import numpy as np
import pytest
import torch

from frame_expressions.fusion import training_data
from frame_expressions.fusion.training_data import Frames, ShuffledBatches, in_buffers
from frame_expressions.runtime.errors import InputError


def test_rows_that_fit_into_a_buffer_are_left_to_one_permutation():
    rng = np.random.default_rng(0)
    rows = np.array([3, 5, 8, 9])
    (buffer,) = in_buffers(rows, 4, 2, rng)
    assert buffer.tolist() == rows.tolist()
    assert rng.integers(1 << 60) == np.random.default_rng(0).integers(1 << 60)  # nothing was drawn


def test_more_rows_are_dealt_in_blocks_from_everywhere():
    rows = np.flatnonzero(np.arange(12_000) % 6)  # 10,000 of them
    buffers = in_buffers(rows, 2048, 16, np.random.default_rng(0))
    assert [len(buffer) for buffer in buffers] == [2048] * 4 + [10_000 - 4 * 2048]
    assert np.array_equal(np.sort(np.concatenate(buffers)), rows)
    for buffer in buffers:
        place = np.searchsorted(rows, buffer)
        assert (np.diff(place) == 1).mean() > 0.9  # long runs of neighbours
        shares = np.histogram(place, bins=5, range=(0, 10_000))[0] / len(place)
        assert shares.min() > 0.1 and shares.max() < 0.3  # of a fifth each


@pytest.fixture
def small_buffer(monkeypatch):
    """Buffers of 128 rows of 10 features (two batches), blocks of 8."""
    monkeypatch.setattr(training_data, "BUFFER_BYTES", 128 * 20)
    monkeypatch.setattr(training_data, "BLOCK_ROWS", 8)


def _numbered(count):
    """Frames whose features and class tell their number."""
    number = np.arange(count)
    visual = np.stack([number % 100, number // 100, *np.zeros((4, count))], axis=1).astype(np.float16)
    audio = np.repeat(number[:, None] % 7, 4, axis=1).astype(np.float16)
    return Frames(visual, audio, number % 5 > 0, number % 3 > 0, (number % 8).astype(np.int8))


def _numbers(batches):
    return [(batch[0][:, 0] + 100 * batch[0][:, 1]).int().tolist() for batch, _ in batches]


def test_every_row_comes_once_in_another_order_every_time(small_buffer):
    frames, rows = _numbered(1500), np.arange(0, 1500, 2)
    batches = ShuffledBatches(frames, rows, 64, np.random.default_rng(0), "cpu")
    first, second = _numbers(batches), _numbers(batches)
    for epoch in (first, second):
        assert np.array_equal(np.sort(np.concatenate(epoch)), rows)
        assert [len(batch) for batch in epoch] == [64] * 11 + [46]
    assert first != second
    spread = [np.ptp(batch) for batch in first]
    assert min(spread) > 750  # no batch keeps to one part of the corpus
    for (visual, audio, visual_present, audio_present), target in batches:
        number = (visual[:, 0] + 100 * visual[:, 1]).int()
        assert torch.equal(audio[:, 2].int(), number % 7) and torch.equal(target, (number % 8).long())
        assert torch.equal(visual_present, number % 5 > 0) and torch.equal(audio_present, number % 3 > 0)


class _Slow:
    """An array whose rows take their time."""

    def __init__(self, values, wait_s):
        self.values, self.shape, self.wait_s = values, values.shape, wait_s

    def take(self, rows, *, axis, out):
        time.sleep(self.wait_s)
        return np.take(self.values, rows, axis, out, mode="clip")


def test_the_order_does_not_depend_on_how_fast_frames_are_read(small_buffer):
    frames = _numbered(600)
    slow = Frames(**(vars(frames) | {"audio": _Slow(frames.audio, 0.02)}))
    orders = []
    for source, pause in ((frames, 0.0), (frames, 0.01), (slow, 0.0)):
        batches = ShuffledBatches(source, np.arange(600), 64, np.random.default_rng(4), "cpu")
        orders.append([])
        for batch in batches:
            orders[-1] += _numbers([batch])
            time.sleep(pause)
    assert orders[0] == orders[1] == orders[2]


def test_a_reading_error_ends_the_training(small_buffer):
    class Broken(_Slow):
        def take(self, rows, *, axis, out):
            raise InputError("features.npy is cut off", "")

    frames = _numbered(600)
    broken = Frames(**(vars(frames) | {"visual": Broken(frames.visual, 0.0)}))
    with pytest.raises(InputError, match="cut off"):
        list(ShuffledBatches(broken, np.arange(600), 64, np.random.default_rng(4), "cpu"))
