# SPDX-License-Identifier: BSD-3-Clause
"""Continuous batching: which sequences take part in the next step, and with how many tokens."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from examples.decode_loop.paged_cache import CachedSequence, PagedKVCache


@dataclass(frozen=True)
class Request:
    arrival: int  # the step before which it arrives
    prompt_tokens: int
    new_tokens: int  # to generate, at least 1


@dataclass(eq=False)
class Running:
    """A request in the batch. Its last prompt token yields the first new one, then each step yields one more."""

    request: Request
    cached: CachedSequence = field(default_factory=CachedSequence)
    generated: int = 0

    @property
    def prompt_left(self) -> int:
        return max(0, self.request.prompt_tokens - self.cached.length)

    @property
    def is_done(self) -> bool:
        return self.generated == self.request.new_tokens

    @property
    def final_length(self) -> int:
        """Rows in the cache at the end. The last new token is returned and never fed back."""
        return self.request.prompt_tokens + self.request.new_tokens - 1


@dataclass(frozen=True)
class Part:
    """What one sequence contributes to a step."""

    running: Running
    tokens: int  # 1 in a decode, a piece of the prompt in a prefill


class Scheduler:
    """First come, first served. A request starts when the pages it may ever need can be had, so none is thrown out."""

    def __init__(self, requests: Iterable[Request], cache: PagedKVCache, max_batch: int, tokens_per_step: int):
        self._cache = cache
        self._max_batch = max_batch
        self._tokens_per_step = tokens_per_step
        self._waiting = deque(sorted(requests, key=lambda request: request.arrival))
        self._running: list[Running] = []
        self._step = 0
        for request in self._waiting:
            if cache.pages_for(Running(request).final_length) > cache.pool.num_pages:
                raise ValueError(f"{request} does not fit into a cache of {cache.pool.num_pages} pages")

    @property
    def is_idle(self) -> bool:
        return not self._waiting and not self._running

    def next_step(self) -> list[Part]:
        """Admits what has arrived and divides the tokens of the step: decodes first, then prompts, a piece at a time.

        The pages for the tokens are taken. Empty when nothing has arrived yet.
        """
        self._admit()
        left = self._tokens_per_step
        decodes = [running for running in self._running if running.prompt_left == 0]
        prompts = [running for running in self._running if running.prompt_left > 0]
        parts = [Part(running, 1) for running in decodes]
        left -= len(parts)
        for running in prompts:
            tokens = min(running.prompt_left, left)
            if tokens > 0:
                parts.append(Part(running, tokens))
                left -= tokens
        for part in parts:
            self._cache.make_room(part.running.cached, part.tokens)
        self._step += 1
        return parts

    def finish_step(self, parts: Iterable[Part]) -> None:
        """Counts what the step has written and generated; those that are done leave and free their pages."""
        for part in parts:
            running = part.running
            running.cached.length += part.tokens
            if running.prompt_left == 0:
                running.generated += 1
            if running.is_done:
                self._cache.release(running.cached)
                self._running.remove(running)

    def _admit(self) -> None:
        promised = sum(self._cache.pages_for(running.final_length) for running in self._running)
        while self._waiting and self._waiting[0].arrival <= self._step and len(self._running) < self._max_batch:
            running = Running(self._waiting[0])
            promised += self._cache.pages_for(running.final_length)
            if promised > self._cache.pool.num_pages:
                return
            self._waiting.popleft()
            self._running.append(running)


def random_requests(
    count: int, seed: int, prompt_tokens: tuple[int, int], new_tokens: tuple[int, int], steps_between: float
) -> list[Request]:
    """Requests with lengths from the given ranges, a few steps apart."""
    rng = random.Random(seed)
    requests, arrival = [], 0.0
    for _ in range(count):
        requests.append(Request(int(arrival), rng.randint(*prompt_tokens), rng.randint(*new_tokens)))
        arrival += rng.expovariate(1 / steps_between)
    return requests
