# SPDX-License-Identifier: BSD-3-Clause
"""Rows of parameter values in which every allowed pair of values of two parameters occurs: a small greedy cover."""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping, Sequence
from typing import Any, Callable

Row = dict[str, Any]


def pairwise(factors: Mapping[str, Sequence[Any]], allowed: Callable[[Row], bool], seed: int = 0) -> list[Row]:
    """`allowed` judges a partial row: it must refuse only what no completion could make valid. Pairs for which no
    completion is found are left out. Deterministic for a seed."""
    rng = random.Random(seed)
    names = list(factors)

    uncovered = {
        (a, i, b, j)
        for a, b in itertools.combinations(names, 2)
        for i in range(len(factors[a]))
        for j in range(len(factors[b]))
        if allowed({a: factors[a][i], b: factors[b][j]})
    }

    def gain(row: dict[str, int], name: str, value: int) -> int:
        ordered = [(other, row[other]) for other in names if other in row]
        count = 0
        for other, index in ordered:
            key = (other, index, name, value) if names.index(other) < names.index(name) else (name, value, other, index)
            count += key in uncovered
        return count

    def values(row: dict[str, int]) -> Row:
        return {name: factors[name][index] for name, index in row.items()}

    def complete(row: dict[str, int], rest: list[str]) -> dict[str, int] | None:
        """Greedy, without backtracking; None when the values chosen first leave none for a later parameter."""
        for name in rest:
            candidates = list(range(len(factors[name])))
            rng.shuffle(candidates)
            candidates = [value for value in candidates if allowed(values({**row, name: value}))]
            if not candidates:
                return None
            row = {**row, name: max(candidates, key=lambda value: gain(row, name, value))}  # noqa: B023
        return row

    rows: list[Row] = []
    while uncovered:
        target = rng.choice(sorted(uncovered))
        a, i, b, j = target
        rest = [name for name in names if name not in (a, b)]
        row = None
        for _ in range(50):
            rng.shuffle(rest)
            row = complete({a: i, b: j}, rest)
            if row is not None:
                break
        uncovered.discard(target)
        if row is None:
            continue
        uncovered -= {(x, row[x], y, row[y]) for x, y in itertools.combinations(names, 2)}
        rows.append(values({name: row[name] for name in names}))
    return rows
