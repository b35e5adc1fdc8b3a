# SPDX-License-Identifier: BSD-3-Clause
"""The key/value cache of one attention layer, in pages that sequences take as they grow."""

from __future__ import annotations

from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass, field

import torch
from torch import Tensor

from examples.decode_loop.page_pool import PagePool


@dataclass
class CachedSequence:
    """The pages of one sequence, in order, and how many rows of them are filled."""

    pages: list[int] = field(default_factory=list)
    length: int = 0


class PagedKVCache:
    """k and v: (num_pages, page_size, num_heads_k, head_dim), what flash_attn_with_kvcache takes with a page_table."""

    def __init__(self, num_pages: int, page_size: int, num_heads_k: int, head_dim: int, dtype: torch.dtype):
        self.page_size = page_size
        self.pool = PagePool(num_pages)
        self.k = torch.empty(num_pages, page_size, num_heads_k, head_dim, dtype=dtype)
        self.v = torch.empty_like(self.k)

    def pages_for(self, length: int) -> int:
        """Pages that a sequence of this length fills."""
        return -(-length // self.page_size)

    def make_room(self, sequence: CachedSequence, new_tokens: int) -> None:
        """Gives the sequence the pages that its next tokens need.

        Raises:
            OutOfPages: there are not enough; the sequence is unchanged.
        """
        missing = self.pages_for(sequence.length + new_tokens) - len(sequence.pages)
        if missing > 0:
            sequence.pages += self.pool.take(missing)

    def release(self, sequence: CachedSequence) -> None:
        """Frees all pages of a sequence that is done."""
        self.pool.give_back(sequence.pages)
        sequence.pages, sequence.length = [], 0

    def page_table(self, sequences: SequenceOf[CachedSequence]) -> Tensor:
        """(batch, most pages of any), int32; entries after a sequence's last page are never read."""
        width = max(len(sequence.pages) for sequence in sequences)
        rows = [sequence.pages + [0] * (width - len(sequence.pages)) for sequence in sequences]
        return torch.tensor(rows, dtype=torch.int32)
