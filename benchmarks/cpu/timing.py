# SPDX-License-Identifier: BSD-3-Clause
"""Times functions against each other: same process, same threads, in turns."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import Any, Callable

# Below this, what is measured is mostly whether a neighbour held one of the threads: the minimum is judged instead.
MEDIAN_FROM_MS = 1.0
MAX_ROUNDS = 300


@dataclass(frozen=True)
class Sample:
    """Times of one function in milliseconds, in the order they were taken."""

    times_ms: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.times_ms)

    @property
    def minimum(self) -> float:
        return min(self.times_ms)


def time_in_turns(
    functions: dict[str, Callable[[], Any]],
    budget_s: float,
    min_rounds: int = 3,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, Sample]:
    """Calls all functions round after round until the budget is spent, the order reversed every other round.

    Every function runs once before, unmeasured.
    """
    for function in functions.values():
        function()
    times: dict[str, list[float]] = {name: [] for name in functions}
    order = list(functions)
    started = clock()
    rounds = 0
    while rounds < min_rounds or (clock() - started < budget_s and rounds < MAX_ROUNDS):
        for name in order:
            function = functions[name]
            before = clock()
            function()
            times[name].append((clock() - before) * 1e3)
        order.reverse()
        rounds += 1
    return {name: Sample(tuple(values)) for name, values in times.items()}


def statistic_for(samples: dict[str, Sample]) -> str:
    """ "median", or "minimum" when one of the functions can do it in less than a millisecond."""
    return "median" if min(sample.minimum for sample in samples.values()) >= MEDIAN_FROM_MS else "minimum"
