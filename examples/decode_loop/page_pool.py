# SPDX-License-Identifier: BSD-3-Clause
"""Which pages of a cache are free."""

from __future__ import annotations

from collections.abc import Sequence


class OutOfPages(RuntimeError):
    """More pages were asked for than are free."""


class PagePool:
    """A free list of page numbers. The page freed last is handed out first: it may still be in the CPU's cache."""

    def __init__(self, num_pages: int):
        self.num_pages = num_pages
        self._free = list(range(num_pages - 1, -1, -1))
        self._is_free = [True] * num_pages

    @property
    def num_free(self) -> int:
        return len(self._free)

    def take(self, count: int) -> list[int]:
        """
        Raises:
            OutOfPages: fewer than `count` are free; none is taken then.
        """
        if count > len(self._free):
            raise OutOfPages(f"{count} pages wanted, {len(self._free)} of {self.num_pages} are free")
        pages = [self._free.pop() for _ in range(count)]
        for page in pages:
            self._is_free[page] = False
        return pages

    def give_back(self, pages: Sequence[int]) -> None:
        """
        Raises:
            ValueError: a page was free already: two owners would share it from now on.
        """
        for page in pages:
            if self._is_free[page]:
                raise ValueError(f"page {page} is free already")
            self._is_free[page] = True
            self._free.append(page)
