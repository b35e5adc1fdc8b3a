# SPDX-License-Identifier: BSD-3-Clause
"""Which keys a query sees. The one definition in the tests, the benchmarks and the examples.

Notation: position p = i + seqlen_k - seqlen_q of query row i (bottom-right alignment), key j. A limit below 0 is none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


def sees(position: Any, key: Any, left: int = -1, right: int = -1, chunk: int = 0) -> Any:
    """Whether the query at `position` sees `key`: integers, or numpy or torch arrays that broadcast.

    Args:
        left, right: how many keys before and after its position a query sees.
        chunk: above 0: the key must lie in the chunk of the position, too.
    """
    seen = (key >= position - _limit(left)) & (key <= position + _limit(right))
    return seen & (key // chunk == position // chunk) if chunk > 0 else seen


def _limit(n: int) -> float:
    return math.inf if n < 0 else n


def visible(seqlen_q: int, seqlen_k: int, left: int = -1, right: int = -1, chunk: int = 0) -> Tensor:
    """Bool (seqlen_q, seqlen_k), bottom-right aligned."""
    position = torch.arange(seqlen_q).view(-1, 1) + (seqlen_k - seqlen_q)
    return sees(position, torch.arange(seqlen_k).view(1, -1), left, right, chunk)


@dataclass(frozen=True)
class MaskRule:
    """The mask of a call after the API's own clipping of the window."""

    left: int
    right: int
    chunk: int
    is_causal: bool  # the kernel variant: only a right limit of 0
    is_local: bool  # any other limit

    def visible(self, seqlen_q: int, seqlen_k: int) -> Tensor:
        return visible(seqlen_q, seqlen_k, self.left, self.right, self.chunk)


def mask_rule_v2(causal: bool, left: int, right: int, capacity: int) -> MaskRule:
    """v2 clips both sides with the capacity of the cache and replaces a missing right side by the capacity."""
    if causal:
        right = 0
    left = -1 if left >= capacity else left
    right = -1 if right >= capacity else right
    is_causal = left < 0 and right == 0
    is_local = not is_causal and (left >= 0 or right >= 0)
    if left >= 0 and right < 0:
        right = capacity
    return MaskRule(left, right, 0, is_causal, is_local)


def mask_rule_v3(causal: bool, left: int, right: int, chunk: int, capacity: int, max_seqlen_q: int) -> MaskRule:
    """v3 clips only limits that cannot exclude anything: the visible set is the formula's, `is_local` is not."""
    left = -1 if left >= capacity - 1 else left
    right = -1 if right >= max_seqlen_q - 1 else right
    if causal:
        right = 0
    is_causal = left < 0 and right == 0 and chunk == 0
    is_local = not is_causal and (left >= 0 or right >= 0 or chunk > 0)
    return MaskRule(left, right, chunk, is_causal, is_local)
