import threading
from itertools import count

import pytest
import torch

from frame_expressions.networks.device import computes_in, map_in_threads, start_torch
from frame_expressions.runtime.errors import InputError


def test_results_come_in_order_though_later_ones_are_ready_first():
    later_is_ready = threading.Event()

    def work(item):
        if item == 0:
            assert later_is_ready.wait(10)
        if item == 1:
            later_is_ready.set()
        return 10 * item

    assert list(map_in_threads(work, range(5), 2)) == [0, 10, 20, 30, 40]


def test_no_more_is_drawn_than_is_under_way():
    drawn = count()
    results = map_in_threads(lambda item: item, drawn, 3)
    assert next(results) == 0 and next(results) == 1
    assert next(drawn) == 5
    results.close()


def test_torch_does_not_share_out_an_operation_meanwhile():
    usual = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert list(map_in_threads(lambda item: torch.get_num_threads(), range(3), 2)) == [1, 1, 1]
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(usual)


def test_what_one_item_raises_is_raised():
    def work(item):
        if item == 2:
            raise LookupError("the third")
        return item

    results = map_in_threads(work, range(9), 2)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(LookupError, match="the third"):
        next(results)


def test_a_gpu_that_is_not_there_is_named_with_its_key(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match=r"compute\.device is cuda, but torch .*; set compute\.device to auto or cpu"):
        start_torch("cuda", torch.get_num_threads())
    assert start_torch("auto", torch.get_num_threads()) == "cpu"


@pytest.mark.parametrize(
    ("capabilities", "slow"),
    [
        ({"avx2": True, "avx512_bf16": False, "amx_bf16": False, "amx_fp16": False}, {"bfloat16", "float16"}),
        ({"avx512_bf16": True, "amx_bf16": False, "avx512_fp16": False}, {"float16"}),
        ({"bf16": True, "fp16": True, "architecture": "aarch64"}, set()),
    ],
)
def test_a_precision_that_the_processor_only_imitates_is_warned_of(monkeypatch, caplog, capabilities, slow):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    for dtype in ("float32", "bfloat16", "float16"):
        caplog.clear()
        start_torch("cpu", torch.get_num_threads(), dtype)
        warned = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
        assert bool(warned) == (dtype in slow)
        assert all(f"no arithmetic in {dtype}, " in message for message in warned)
        assert computes_in(dtype, "cuda")
