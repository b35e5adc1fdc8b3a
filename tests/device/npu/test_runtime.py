# SPDX-License-Identifier: BSD-3-Clause
"""The emulated runtime under torch_npu: transfers, streams, events, memory, errors. No operator of ours."""

from __future__ import annotations

import itertools

import pytest
import torch

from tests.device.npu.launches import held_up

DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.int32, torch.int64, torch.bool, torch.uint8)


def some(dtype: torch.dtype, *shape: int) -> torch.Tensor:
    return (
        torch.arange(int(torch.tensor(shape).prod())).remainder(2 if dtype == torch.bool else 100).to(dtype).view(shape)
    )


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_transfers(dtype: torch.dtype) -> None:
    x = some(dtype, 7, 33)
    for pinned, non_blocking in itertools.product((False, True), repeat=2):
        source = x.pin_memory() if pinned else x
        there = source.to("npu", non_blocking=non_blocking)
        assert there.device == torch.device("npu", 0) and there.dtype == dtype
        assert torch.equal(there.cpu(), x)
    assert torch.equal(x.npu().t().contiguous().cpu(), x.t())
    assert torch.equal(x.npu()[::2, 3:30:4].cpu(), x[::2, 3:30:4])
    assert torch.equal(x.npu().to("npu:1").cpu(), x)


def test_pinned_memory_is_known() -> None:
    assert torch.ones(3).pin_memory().is_pinned()
    assert not torch.ones(3).is_pinned()


def test_operators_are_right() -> None:
    """Tests and users build inputs with these; one wrong answer here would be looked for in our code."""
    x, y = torch.randn(5, 8), torch.randn(5, 8)
    a, b = x.npu(), y.npu()
    pairs = [
        (a + b, x + y),
        (a - 2 * b, x - 2 * y),
        (a * b / 3, x * y / 3),
        (a @ b.t(), x @ y.t()),
        (torch.cat([a, b], 1), torch.cat([x, y], 1)),
        (torch.where(a > b, a, b), torch.where(x > y, x, y)),
        (a.sum(1), x.sum(1)),
        (a.max(), x.max()),
        (a.softmax(-1), x.softmax(-1)),
        (a[torch.tensor([3, 1], device="npu")], x[[3, 1]]),
        (a.exp().half().float(), x.exp().half().float()),
        (torch.zeros(3, device="npu"), torch.zeros(3)),
        (torch.arange(3, 9, 2, device="npu"), torch.arange(3, 9, 2)),
    ]
    for n, (got, expected) in enumerate(pairs):  # within torch's own tolerance for a dtype: orders of summation differ
        torch.testing.assert_close(got.cpu(), expected, msg=lambda text, n=n: f"pair {n}: {text}")
    assert "npu:0" in repr(a)


def test_streams_run_side_by_side() -> None:
    """Each of two streams waits for the other's first half: in one queue that would never end."""
    first, second = torch.npu.Stream(), torch.npu.Stream()
    x, y, sums, differences = (torch.zeros(4, device="npu") for _ in range(4))
    torch.npu.synchronize()
    halfway_first, halfway_second = torch.npu.Event(), torch.npu.Event()
    with torch.npu.stream(first):
        x += 1
        halfway_first.record()
    with torch.npu.stream(second):
        y += 2
        halfway_second.record()
        second.wait_event(halfway_first)
        sums += x
        sums += y
    with torch.npu.stream(first):
        first.wait_event(halfway_second)
        differences += x
        differences -= y
    torch.npu.synchronize()
    assert sums.tolist() == [3] * 4 and differences.tolist() == [-1] * 4


def test_work_is_asynchronous_and_events_say_when_it_is_done() -> None:
    x = torch.zeros(1 << 20, device="npu")
    torch.npu.synchronize()
    start, end = torch.npu.Event(enable_timing=True), torch.npu.Event(enable_timing=True)
    with held_up() as go_on:
        start.record()
        x += 1
        end.record()
        assert not end.query() and not torch.npu.current_stream().query()
        go_on()
        end.synchronize()
    assert end.query()
    assert start.elapsed_time(end) > 0
    assert x.sum().item() == 1 << 20


def test_out_of_memory_is_an_error_and_not_the_end() -> None:
    with pytest.raises(torch.OutOfMemoryError):
        torch.empty(65 << 30, dtype=torch.uint8, device="npu")
    assert torch.ones(3, device="npu").sum().item() == 3


def test_two_devices() -> None:
    assert torch.npu.device_count() == 2
    x = torch.ones(3, device="npu:1")
    with torch.npu.device(1):
        y = torch.ones(3, device="npu") + x
    assert y.device.index == 1 and y.tolist() == [2, 2, 2]
    assert torch.npu.current_device() == 0
