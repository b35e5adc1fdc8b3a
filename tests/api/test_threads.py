# SPDX-License-Identifier: BSD-3-Clause
"""Threads, processes and repeatability."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch

from tests.support import backend
from tests.support.apis import per_api
from tests.support.cases import Case, build
from tests.support.harness import Outcome, check, same_result
from tests.support.seed import SEED


def cases(api: str) -> dict[str, Case]:
    """Calls that divide their work in different ways."""
    page = 256 if api == "v2" else 16
    some = {
        "decode": Case(api, SEED, batch=3, heads=8, d=128, capacity=1500, cache_seqlens=(1500, 3, 700)),
        "decode bf16": Case(api, SEED, "bfloat16", batch=1, heads=8, heads_k=1, d=64, capacity=3000),
        "paged append": Case(
            api,
            SEED,
            batch=4,
            capacity=512,
            page_size=page,
            cache_seqlens=(500, 0, 17, 256),
            seqlen_new=2,
            seqlen_q=2,
            rotary_dim=32,
            causal=True,
        ),
        "prefill": Case(api, SEED, "bfloat16", seqlen_q=300, heads=4, d=128, capacity=300, causal=True),
        "prefill fp16": Case(api, SEED, batch=1, seqlen_q=300, heads=3, heads_k=1, d=64, capacity=400),
        "prefill fp32": Case(api, SEED, "float32", batch=1, seqlen_q=200, heads=3, heads_k=3, d=80, capacity=400),
        "many splits": Case(api, SEED, batch=1, heads=2, capacity=2000, num_splits=13),
        "window": Case(api, SEED, seqlen_q=100, capacity=900, window=(100, 10), softcap=20.0),
    }
    if api == "v3":
        some["varlen"] = Case(
            api, SEED, batch=4, seqlen_q=(200, 1, 0, 33), capacity=256, page_size=16, cache_seqlens=(200, 256, 9, 33)
        )
        some["fp8"] = Case(api, SEED, "float8_e4m3fn", batch=1, heads=8, d=64, capacity=1000, descale="qkv")
    return some


def named_cases(api: str) -> Iterator[tuple[str, Case]]:
    return ((name.replace(" ", "-"), case) for name, case in cases(api).items())


@contextmanager
def num_threads(n: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def run(case: Case) -> Outcome:
    """The call alone, without judging it."""
    built = build(backend.current().adapted(case))
    result = backend.current().call(case.api, built.kwargs)
    out, lse = (result[0], result[1]) if isinstance(result, tuple) else (result, None)
    return Outcome(result, out, lse, built)


@per_api("case", named_cases)
def test_thread_count_does_not_matter(case: Case) -> None:
    with num_threads(1):
        one = check(case)
    for n in (2, 3, 4, 7):
        with num_threads(n):
            same_result(one, run(case))


@per_api("case", named_cases)
def test_same_bits_every_time(case: Case) -> None:
    first = run(case)
    for _ in range(5):
        same_result(first, run(case))


@pytest.mark.sanitize
def test_many_callers(api: str) -> None:
    """Several Python threads, each with its own kind of call, again and again; every result as when called alone."""
    chosen = list(cases(api).values())
    expected = [run(case) for case in chosen]
    failures: list[BaseException] = []
    start = threading.Barrier(len(chosen))

    def work(case: Case, alone: Outcome) -> None:
        try:
            start.wait()
            for _ in range(10):
                same_result(alone, run(case))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=pair) for pair in zip(chosen, expected)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive(), "a caller hangs"
    if failures:
        raise failures[0]


@pytest.mark.parametrize("child_threads", [None, 1, 4])
def test_forked_child_works(api: str, child_threads: int | None) -> None:
    """The parent has used the backend with several threads; then a child calls it. A hang ends after two minutes.

    The child leaves torch's own operators alone: with more than one thread those do hang after a fork.
    """
    chosen = [cases(api)[name] for name in ("decode", "paged append", "prefill")]
    with num_threads(4):
        expected = [_bytes(run(case)) for case in chosen]
        inputs = [build(backend.current().adapted(case)) for case in chosen]
        child = os.fork()
        if child == 0:
            status = 1
            try:
                if child_threads is not None:
                    torch.set_num_threads(child_threads)
                results = [backend.current().call(api, built.kwargs) for built in inputs]
                outcomes = [Outcome(r, r[0], r[1], built) for r, built in zip(results, inputs)]
                status = 0 if [_bytes(outcome) for outcome in outcomes] == expected else 2
            finally:
                os._exit(status)
        deadline = time.monotonic() + 120
        while True:
            finished, status = os.waitpid(child, os.WNOHANG)
            if finished:
                break
            if time.monotonic() > deadline:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                raise AssertionError("the forked child hangs")
            time.sleep(0.02)
        code = os.waitstatus_to_exitcode(status)
        assert code == 0, f"the forked child ended with {code} (1: exception, 2: other bits than the parent)"
        assert [_bytes(run(case)) for case in chosen] == expected, "the parent's results changed after the fork"


def _bytes(outcome: Outcome) -> list[bytes]:
    assert outcome.lse is not None
    tensors = [outcome.out, outcome.lse, outcome.built.kwargs["k_cache"], outcome.built.kwargs["v_cache"]]
    return [x.view(torch.int16).numpy().tobytes() for x in tensors]


def test_other_threads_run_meanwhile(api: str) -> None:
    """The GIL is free while the backend computes: a Python thread moves on during one long call."""
    case = Case(api, SEED, "float32", batch=1, seqlen_q=1500, heads=16, heads_k=16, d=128, capacity=3000)
    built = build(backend.current().adapted(case))
    steps = 0
    stop = threading.Event()
    running = threading.Event()

    def count() -> None:
        nonlocal steps
        while not stop.is_set():
            steps += 1
            running.set()
            time.sleep(0)

    thread = threading.Thread(target=count)
    thread.start()
    running.wait()

    def steps_during(function: Any) -> int:
        before = steps
        function()
        return steps - before

    with num_threads(1):
        during = max(steps_during(lambda: backend.current().call(api, built.kwargs)) for _ in range(3))
    stop.set()
    thread.join()
    # A call that keeps the GIL lets the other thread run for a switch interval before and after: a handful of steps.
    assert during > 200, f"another Python thread made {during} steps during a call that takes a good part of a second"
