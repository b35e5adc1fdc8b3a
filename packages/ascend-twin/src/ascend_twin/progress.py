# SPDX-License-Identifier: BSD-3-Clause
"""What the command shows while it works: a line on stderr, when that is a terminal."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Optional

WIDTH = 30
#: Nothing is shown before so many seconds, then the line changes as often.
DELAY, STEP = 0.5, 0.2

Fraction = Callable[[], Optional[float]]


def line(what: str, seconds: float, fraction: float | None) -> str:
    """The text of a moment.

    Example:
        >>> line("timeline", 3, 0.5)
        'timeline [###############               ]  50 %  3 s'
    """
    if fraction is None:
        return f"{what} {seconds:.0f} s"
    filled = round(WIDTH * min(fraction, 1))
    return f"{what} [{'#' * filled}{' ' * (WIDTH - filled)}] {100 * min(fraction, 1):3.0f} %  {seconds:.0f} s"


@contextmanager
def shown(what: str, fraction: Fraction = lambda: None) -> Iterator[None]:
    """Show `what`, the time it takes and, where known, how much of it is done, until the block ends.

    fraction: called from another thread; None as long as nobody knows.
    """
    if not sys.stderr.isatty():
        yield
        return
    ended = threading.Event()
    began = time.monotonic()

    def work() -> None:
        wait = DELAY
        while not ended.wait(wait):
            wait = STEP
            print(f"\r\x1b[K{line(what, time.monotonic() - began, fraction())}", end="", file=sys.stderr, flush=True)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
