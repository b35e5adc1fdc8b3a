# SPDX-License-Identifier: BSD-3-Clause
"""The demo's free list, cache, scheduler and checker; without the wheels, but for the last test."""

from __future__ import annotations

import random
from typing import Callable

import pytest
import torch

from benchmarks.cpu.torch_attention import rotate, sdpa
from examples.decode_loop.page_pool import OutOfPages, PagePool
from examples.decode_loop.paged_cache import CachedSequence, PagedKVCache
from examples.decode_loop.scheduler import Part, Request, Scheduler, random_requests
from tests.support.mask import visible


def small_cache(num_pages: int = 8, page_size: int = 4) -> PagedKVCache:
    return PagedKVCache(num_pages, page_size, num_heads_k=1, head_dim=2, dtype=torch.float32)


# --- page_pool


def test_pages_are_handed_out_once_and_come_back() -> None:
    pool = PagePool(5)
    first, second = pool.take(2), pool.take(3)
    assert sorted(first + second) == [0, 1, 2, 3, 4] and pool.num_free == 0
    pool.give_back(first)
    assert sorted(pool.take(2)) == sorted(first)


def test_taking_too_many_takes_none() -> None:
    pool = PagePool(3)
    pool.take(1)
    with pytest.raises(OutOfPages, match="3 pages wanted, 2 of 3 are free"):
        pool.take(3)
    assert pool.num_free == 2


def test_freeing_twice_is_an_error() -> None:
    pool = PagePool(3)
    pages = pool.take(2)
    pool.give_back(pages)
    with pytest.raises(ValueError, match="is free already"):
        pool.give_back(pages[:1])


def test_random_use_never_shares_a_page() -> None:
    rng, pool = random.Random(1), PagePool(20)
    owned: list[list[int]] = []
    for _ in range(500):
        if owned and rng.random() < 0.5:
            pool.give_back(owned.pop(rng.randrange(len(owned))))
        else:
            owned.append(pool.take(rng.randint(0, min(4, pool.num_free))))
        pages = [page for own in owned for page in own]
        assert len(set(pages)) == len(pages) == 20 - pool.num_free


# --- paged_cache


def test_a_sequence_takes_pages_only_when_it_needs_them() -> None:
    cache, sequence = small_cache(page_size=4), CachedSequence()
    cache.make_room(sequence, 4)
    assert len(sequence.pages) == 1
    sequence.length = 4
    cache.make_room(sequence, 1)
    assert len(sequence.pages) == 2
    cache.release(sequence)
    assert cache.pool.num_free == 8 and sequence == CachedSequence()


def test_page_table_is_padded() -> None:
    table = small_cache().page_table([CachedSequence([3]), CachedSequence([5, 1])])
    assert table.dtype == torch.int32 and table.tolist() == [[3, 0], [5, 1]]


# --- scheduler


def serve(scheduler: Scheduler) -> list[list[Part]]:
    steps = []
    while not scheduler.is_idle:
        parts = scheduler.next_step()
        steps.append(parts)
        scheduler.finish_step(parts)
        assert len(steps) < 10_000, "the scheduler does not end"
    return steps


def test_a_long_prompt_is_cut_and_decodes_go_first() -> None:
    requests = [Request(0, prompt_tokens=2, new_tokens=4), Request(1, prompt_tokens=10, new_tokens=2)]
    steps = serve(Scheduler(requests, small_cache(), max_batch=4, tokens_per_step=5))
    # 1: first prompt. 2-4: its decodes beside pieces of the second prompt. 5: the second's only decode.
    assert [[part.tokens for part in parts] for parts in steps] == [[2], [1, 4], [1, 4], [1, 2], [1]]


def test_every_token_is_fed_and_every_page_comes_back() -> None:
    cache = small_cache(num_pages=12)
    requests = random_requests(30, 7, prompt_tokens=(1, 20), new_tokens=(1, 12), steps_between=2.0)
    fed: dict[Request, int] = dict.fromkeys(requests, 0)
    steps = serve(Scheduler(requests, cache, max_batch=4, tokens_per_step=9))
    for parts in steps:
        assert len(parts) <= 4 and sum(part.tokens for part in parts) <= 9
        for part in parts:
            fed[part.running.request] += part.tokens
    assert all(tokens == request.prompt_tokens + request.new_tokens - 1 for request, tokens in fed.items())
    assert cache.pool.num_free == 12
    assert max(len(parts) for parts in steps) > 1, "nothing was batched"


def test_requests_wait_for_pages() -> None:
    requests = [Request(0, prompt_tokens=16, new_tokens=5)] * 2  # 5 pages of 4 each, of 8
    steps = serve(Scheduler(requests, small_cache(), max_batch=4, tokens_per_step=64))
    assert max(len(parts) for parts in steps) == 1


def test_a_request_that_can_never_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit into a cache of 8 pages"):
        Scheduler([Request(0, prompt_tokens=33, new_tokens=1)], small_cache(), max_batch=1, tokens_per_step=8)


# --- the step, ours and PyTorch's, and the checker. These need flash_attn_npu_v3.


class Steps:
    """Some steps of mixed traffic with everything that is needed to do and check them."""

    def __init__(self) -> None:
        from examples.decode_loop.attention_layer import rotary_tables
        from examples.decode_loop.checker import StepChecker

        self.cache = PagedKVCache(24, 4, num_heads_k=2, head_dim=16, dtype=torch.bfloat16)
        requests = random_requests(6, 3, prompt_tokens=(1, 20), new_tokens=(2, 8), steps_between=1.0)
        self.scheduler = Scheduler(requests, self.cache, max_batch=4, tokens_per_step=12)
        self.cos, self.sin = rotary_tables(64, 16, torch.bfloat16)
        self.checker = StepChecker(self.cos, self.sin, seed=0)
        torch.manual_seed(0)

    def run(self, step: Callable[..., torch.Tensor], spoil_at: int | None = None) -> None:
        from examples.decode_loop.attention_layer import StepInputs, plan_step

        number = 0
        while not self.scheduler.is_idle:
            parts = self.scheduler.next_step()
            if parts:
                total = sum(part.tokens for part in parts)
                inputs = StepInputs(*(torch.randn(total, heads, 16).bfloat16() for heads in (4, 2, 2)))
                out = step(self.cache, plan_step(self.cache, parts), inputs, self.cos, self.sin)
                if number == spoil_at:
                    for part in parts:  # as if another sequence had written into these pages
                        self.cache.k[part.running.cached.pages] += 1.0
                self.checker.check(parts, inputs, out)
            self.scheduler.finish_step(parts)
            number += 1
        assert self.checker.checked >= number


@pytest.mark.parametrize("implementation", ["ours", "torch"])
def test_steps_agree_with_the_reference(implementation: str) -> None:
    from examples.decode_loop.attention_layer import attention_step
    from examples.decode_loop.torch_layer import torch_attention_step

    Steps().run(attention_step if implementation == "ours" else torch_attention_step)


def test_the_checker_notices_a_page_with_two_owners() -> None:
    from examples.decode_loop.attention_layer import attention_step

    with pytest.raises(AssertionError, match="error .* allowed"):
        Steps().run(attention_step, spoil_at=3)


def test_rotation_does_not_depend_on_how_a_prompt_is_cut() -> None:
    """What makes prefill in pieces right at all: causal attention of a piece sees all earlier keys."""
    q, k, v = torch.randn(3, 1, 9, 2, 8, dtype=torch.float64).unbind(0)
    angle = torch.rand(9, 4, dtype=torch.float64)
    q, k = (rotate(x, angle.cos(), angle.sin(), interleaved=False) for x in (q, k))
    whole = sdpa(q, k, v, causal=True)
    piece = sdpa(q[:, 5:], k, v, mask=visible(4, 9, -1, 0))
    torch.testing.assert_close(whole[:, 5:], piece)
