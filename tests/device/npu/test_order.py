# SPDX-License-Identifier: BSD-3-Clause
"""Order between torch_npu's operators, its host task queue (TASK_QUEUE_ENABLE), streams and our launches.

The device library here is the cpu backend itself (emulation/cpu), so the same inputs must give the same bits as a call
on cpu tensors: whatever differs was read or written too early or too late.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from tests.device.npu.launches import held_up
from tests.device.npu.npu_call import Moved
from tests.support import backend
from tests.support.call import copies
from tests.support.cases import Case, build
from tests.support.seed import SEED

pytestmark = pytest.mark.order


def arguments(api: str, **options: Any) -> dict[str, Any]:
    kwargs = build(Case(api, SEED, **{"capacity": 200, "heads": 8, "d": 64, "poison": False, **options})).kwargs
    return {**kwargs, "return_softmax_lse": False}


def function(api: str) -> Any:
    return getattr(backend.package(api), backend.FUNCTION)


def chain(api: str, kwargs: dict[str, Any], steps: int) -> Tensor:
    """Operators that write what the call reads, the call, operators that read what it wrote: one long dependency."""
    q, k_cache = kwargs["q"], kwargs["k_cache"]
    total = torch.zeros(q.shape, dtype=torch.float32, device=q.device)
    for step in range(steps):
        q.mul_(0.75).add_(0.01 * step)
        k_cache.mul_(-1)
        out = function(api)(**{**kwargs, "q": q})
        total.mul_(0.5).add_(out)
        q.add_(out, alpha=0.5)
    return total


@pytest.mark.parametrize("api", ["v2", "v3"])
def test_between_torch_operators(api: str) -> None:
    expected = chain(api, arguments(api), 100)
    moved = Moved(arguments(api)).kwargs
    assert torch.equal(chain(api, moved, 100).cpu(), expected)


@pytest.mark.parametrize("api", ["v2", "v3"])
def test_copies_that_the_call_makes_itself(api: str) -> None:
    """A last dimension with a stride is copied by torch inside the call: that copy goes through the task queue too."""
    kwargs = arguments(api, seqlen_q=5)
    # Other values every time: the copy's memory is that of the copy before, which must not do in its place.
    queries = [kwargs["q"] * scale for scale in (1, -1, 0.5)]
    expected = [function(api)(**{**kwargs, "q": q}) for q in queries]
    wide = [q.repeat_interleave(2, dim=-1).npu() for q in queries]
    moved = Moved(kwargs).kwargs
    outs = [function(api)(**{**moved, "q": wide[step % 3][..., ::2]}) for step in range(30)]
    for step, out in enumerate(outs):
        assert torch.equal(out.cpu(), expected[step % 3])


def test_the_host_does_not_wait() -> None:
    """The call returns while its stream has not come to it yet, and the result is there when it has."""
    kwargs = arguments("v3", cache_seqlens=(100, 150), seqlen_new=1)
    expected = function("v3")(**copies(kwargs))
    moved = Moved(kwargs).kwargs
    torch.npu.synchronize()
    with held_up() as go_on:
        outs = [function("v3")(**moved) for _ in range(5)]
        assert not torch.npu.current_stream().query(), "the stream was not held up"
        go_on()
        for out in outs:
            assert torch.equal(out.cpu(), expected)


def test_the_current_stream_is_used() -> None:
    """A call on one stream does not wait for another one that is held up."""
    moved = Moved(arguments("v3")).kwargs
    expected = function("v3")(**arguments("v3"))
    torch.npu.synchronize()
    side = torch.npu.Stream()
    with held_up():
        with torch.npu.stream(side):
            out = function("v3")(**moved)
            side.synchronize()
            assert torch.equal(out.cpu(), expected)
        assert not torch.npu.current_stream().query(), "the stream was not held up"


def test_two_streams_in_flight() -> None:
    """Both are busy at a time; workspaces of one are not given to the other while a launch still uses them."""
    expected = [chain(api, arguments(api), 30) for api in ("v2", "v3")]
    inputs = [Moved(arguments(api)).kwargs for api in ("v2", "v3")]
    torch.npu.synchronize()
    streams = [torch.npu.Stream(), torch.npu.Stream()]
    totals = []
    for api, moved, stream in zip(("v2", "v3"), inputs, streams):
        with torch.npu.stream(stream):
            totals.append(chain(api, moved, 30))
    for stream, total, right in zip(streams, totals, expected):
        stream.synchronize()
        assert torch.equal(total.cpu(), right)


def test_streams_that_wait_for_each_other() -> None:
    """Two streams append to one cache in turns, ordered by events."""
    case = Case("v3", SEED, cache_seqlens=(0, 0), seqlen_new=1, capacity=64, poison=False)
    kwargs = {**build(case).kwargs, "return_softmax_lse": False}
    moved = Moved(kwargs).kwargs
    torch.npu.synchronize()
    streams = [torch.npu.Stream(), torch.npu.Stream()]
    outs, expected = [], []
    for step in range(40):
        kwargs["cache_seqlens"] = torch.full((2,), step, dtype=torch.int32)
        kwargs["k"], kwargs["v"] = kwargs["k"] * 0.9, kwargs["v"] + 0.1
        expected.append(function("v3")(**kwargs))
        stream = streams[step % 2]
        with torch.npu.stream(stream):
            moved["cache_seqlens"] = torch.full((2,), step, dtype=torch.int32, device="npu")
            moved["k"], moved["v"] = moved["k"] * 0.9, moved["v"] + 0.1
            outs.append(function("v3")(**moved))
        streams[(step + 1) % 2].wait_stream(stream)
    for stream in streams:
        stream.synchronize()
    for step, (out, right) in enumerate(zip(outs, expected)):
        assert torch.equal(out.cpu(), right), f"step {step}"


@pytest.mark.parametrize("api", ["v2", "v3"])
def test_cache_updates_are_seen_in_stream_order(api: str) -> None:
    page = {"page_size": 256} if api == "v2" else {"page_size": 16}
    case = Case(api, SEED, cache_seqlens=(9, 20), seqlen_new=2, seqlen_q=2, causal=True, poison=False, **page)  # type: ignore[arg-type]

    def values(kwargs: dict[str, Any]) -> list[Tensor]:
        seen = []
        for step in range(20):
            kwargs["v"].fill_(step)
            function(api)(**kwargs)
            seen.append(kwargs["v_cache"].clone())
            kwargs["v_cache"].mul_(0.5)
        return seen

    expected = values(build(case).kwargs)
    got = values(Moved(build(case).kwargs).kwargs)
    for step, (ours, right) in enumerate(zip(got, expected)):
        assert torch.equal(ours.cpu(), right), f"step {step}"
