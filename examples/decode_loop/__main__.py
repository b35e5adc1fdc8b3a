# SPDX-License-Identifier: BSD-3-Clause
"""Continuous batching as a server does it, on one attention layer with a paged KV cache.

    python -m examples.decode_loop             less than a minute on two cores
    python -m examples.decode_loop --quick     a few seconds

Requests of different lengths arrive and leave; each step is ONE call of flash_attn_with_kvcache that rotates, appends
and attends for decodes and pieces of prompts together. Every step is checked against the float64 reference on a sample,
and done again in plain PyTorch (gather + SDPA) for comparison. The projections of a real model are replaced by random
numbers; they cost the same in both.

To copy from: attention_layer.py (the call), paged_cache.py and page_pool.py (the cache), scheduler.py (the batching).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Callable

import torch
from torch import Tensor
from tqdm import tqdm

from benchmarks.cpu.neighbours import Neighbours
from examples.decode_loop.attention_layer import StepInputs, attention_step, plan_step, rotary_tables
from examples.decode_loop.checker import StepChecker
from examples.decode_loop.paged_cache import PagedKVCache
from examples.decode_loop.scheduler import Part, Request, Scheduler, random_requests
from examples.decode_loop.torch_layer import torch_attention_step

HEADS, HEADS_K, HEAD_DIM = 32, 8, 128  # as in Llama 3 8B


@dataclass
class Clock:
    """Seconds and tokens of one implementation, mixed steps and those of decodes only apart."""

    seconds: dict[str, float] = field(default_factory=lambda: {"mixed": 0.0, "decode": 0.0})
    tokens: dict[str, int] = field(default_factory=lambda: {"mixed": 0, "decode": 0})

    def add(self, parts: Sequence[Part], seconds: float) -> None:
        kind = "mixed" if any(part.tokens > 1 for part in parts) else "decode"
        self.seconds[kind] += seconds
        self.tokens[kind] += sum(part.tokens for part in parts)

    def rate(self, *kinds: str) -> float:
        """Tokens per second."""
        seconds = sum(self.seconds[kind] for kind in kinds)
        return sum(self.tokens[kind] for kind in kinds) / seconds if seconds else float("nan")


def main() -> int:
    options = arguments()
    torch.set_grad_enabled(False)
    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}[options.dtype]
    prompts, replies = ((16, 256), (8, 24)) if options.quick else ((16, 1024), (16, 64))
    requests = random_requests(options.requests, options.seed, prompts, replies, steps_between=options.steps_between)
    cache = PagedKVCache(options.pages, options.page_size, HEADS_K, HEAD_DIM, dtype)
    print(
        f"{len(requests)} requests, {sum(r.prompt_tokens for r in requests)} prompt and "
        f"{sum(r.new_tokens for r in requests)} new tokens; {options.dtype}, {HEADS} heads on {HEADS_K}, head dim "
        f"{HEAD_DIM}; {options.pages} pages of {options.page_size}; {torch.get_num_threads()} threads; "
        f"seed {options.seed}"
    )
    server = Server(cache, requests, options)
    with Neighbours() as neighbours:
        server.serve()
    server.report()
    print(neighbours.warning(), end="")
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m examples.decode_loop", description="A continuous-batching decode loop on a paged KV cache."
    )
    parser.add_argument("--quick", action="store_true", help="fewer and shorter requests")
    parser.add_argument("--requests", type=int, help="default 20; --quick 8")
    parser.add_argument("--steps-between", type=float, default=4.0, help="mean steps between arrivals")
    parser.add_argument("--max-batch", type=int, default=12, help="sequences at a time")
    parser.add_argument("--tokens-per-step", type=int, default=512, help="decodes and pieces of prompts together")
    parser.add_argument("--pages", type=int, default=160, help="small enough that requests must wait for each other")
    parser.add_argument("--page-size", type=int, default=64)
    parser.add_argument("--dtype", choices=("bf16", "fp16"), default="bf16")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.requests is None:
        options.requests = 8 if options.quick else 20
    return options


class Server:
    """Runs the steps with both implementations and records the times and tokens of both."""

    def __init__(self, cache: PagedKVCache, requests: Sequence[Request], options: argparse.Namespace):
        self._cache = cache
        self._scheduler = Scheduler(requests, cache, options.max_batch, options.tokens_per_step)
        self._tokens_in_total = sum(r.prompt_tokens + r.new_tokens - 1 for r in requests)
        dtype = cache.k.dtype
        longest = max(r.prompt_tokens + r.new_tokens for r in requests)
        # Paged caches need tables as long as the page table reaches: the last page counts in full.
        positions = cache.pages_for(longest) * cache.page_size
        self._cos, self._sin = rotary_tables(positions, HEAD_DIM, dtype)
        self._checker = StepChecker(self._cos, self._sin, options.seed)
        self._random = torch.Generator().manual_seed(options.seed)
        # PyTorch's turn needs pages of its own; their numbers are the same.
        self._torch_cache = PagedKVCache(cache.pool.num_pages, cache.page_size, HEADS_K, HEAD_DIM, dtype)
        self.ours, self.torch = Clock(), Clock()
        self.steps, self.batch_sizes, self.most_pages = 0, 0, 0
        self.largest_difference = 0.0

    def serve(self) -> None:
        """Steps until every request has been answered."""
        with tqdm(total=self._tokens_in_total, unit="token", disable=None, leave=False) as progress:
            while not self._scheduler.is_idle:
                parts = self._scheduler.next_step()
                if not parts:
                    continue  # nothing has arrived yet
                inputs = self._project(sum(part.tokens for part in parts))
                out = self._attend(parts, inputs)
                self._checker.check(parts, inputs, out)
                self.most_pages = max(self.most_pages, self._cache.pool.num_pages - self._cache.pool.num_free)
                self._scheduler.finish_step(parts)
                self.steps += 1
                self.batch_sizes += len(parts)
                progress.update(inputs.q.shape[0])
                progress.set_postfix(batch=len(parts), free_pages=self._cache.pool.num_free, refresh=False)
        assert self._cache.pool.num_free == self._cache.pool.num_pages, "pages were lost"

    def _project(self, tokens: int) -> StepInputs:
        def randn(heads: int) -> Tensor:
            return torch.randn(tokens, heads, HEAD_DIM, generator=self._random).to(self._cache.k.dtype)

        return StepInputs(randn(HEADS), randn(HEADS_K), randn(HEADS_K))

    def _attend(self, parts: Sequence[Part], inputs: StepInputs) -> Tensor:
        """Both implementations, the order alternating; returns our output."""
        plan = plan_step(self._cache, parts)

        def ours() -> Tensor:
            return attention_step(self._cache, plan, inputs, self._cos, self._sin)

        def torchs() -> Tensor:
            return torch_attention_step(self._torch_cache, plan, inputs, self._cos, self._sin)

        turns: list[tuple[Clock, Callable[[], Tensor]]] = [(self.ours, ours), (self.torch, torchs)]
        results = {}
        for clock, step in turns if self.steps % 2 == 0 else reversed(turns):
            started = time.perf_counter()
            results[step] = step()
            clock.add(parts, time.perf_counter() - started)
        difference = float((results[ours].float() - results[torchs].float()).abs().max())
        # Reported only: both round. The checker judges ours against float64.
        self.largest_difference = max(self.largest_difference, difference)
        return results[ours]

    def report(self) -> None:
        rows = [
            ("all steps", ("mixed", "decode")),
            ("prefill and decode mixed", ("mixed",)),
            ("decode only", ("decode",)),
        ]
        print(f"{'tokens/s through the layer':28} {'ours':>10} {'gather+SDPA':>12} {'ratio':>7}")
        for name, kinds in rows:
            ours, torchs = self.ours.rate(*kinds), self.torch.rate(*kinds)
            print(f"{name:28} {ours:10.0f} {torchs:12.0f} {ours / torchs:6.2f}x")
        pages = self._cache.pool.num_pages
        print(
            f"{self.steps} steps, {self.batch_sizes / self.steps:.1f} sequences on average, at most "
            f"{self.most_pages} of {pages} pages in use, all free at the end"
        )
        print(
            f"{self._checker.checked} heads checked against float64, at least one in every step: all within the bound, "
            f"the worst at {self._checker.worst:.0%} of it; ours and PyTorch differ by {self.largest_difference:.1e} "
            "at most"
        )


if __name__ == "__main__":
    sys.exit(main())
