# SPDX-License-Identifier: BSD-3-Clause
"""torch's flex_attention as a peer: compiled, where torch can compile it for this CPU.

Not compiled it is a formula in eager mode that nobody would run for speed.
"""

from __future__ import annotations

import time
from typing import Callable

import torch
from torch import Tensor

from benchmarks.cpu.cases import BenchCase
from tests.support.mask import sees


class FlexUnavailable(RuntimeError):
    """flex_attention does not run here; the message says why."""


def compiled_flex(case: BenchCase, q: Tensor, k: Tensor, v: Tensor) -> tuple[Callable[[], Tensor], float]:
    """The compiled call on (b, h, s, d) tensors, and the seconds that compiling took.

    Raises:
        FlexUnavailable: torch has none, or cannot compile it for this case.
    """
    try:
        from torch.nn.attention.flex_attention import create_block_mask, flex_attention
    except ImportError as error:
        raise FlexUnavailable(f"torch {torch.__version__} has no flex_attention: {error}") from None

    def visible(b: Tensor, h: Tensor, i: Tensor, j: Tensor) -> Tensor:
        return sees(i, j, -1 if case.window is None else case.window, 0)

    started = time.perf_counter()
    torch._dynamo.reset()  # otherwise cases count as recompilations of one function, and those are limited
    try:
        block_mask = None
        if case.causal:
            block_mask = create_block_mask(visible, None, None, q.shape[2], k.shape[2], device="cpu")
        compiled = torch.compile(flex_attention)

        def call() -> Tensor:
            return compiled(q, k, v, block_mask=block_mask, enable_gqa=q.shape[1] != k.shape[1])

        call()
    except Exception as error:  # whatever the compiler stack throws: there is then no such peer
        first_line = str(error).strip().splitlines()[0] if str(error).strip() else ""
        raise FlexUnavailable(f"{type(error).__name__}: {first_line[:200]}") from None
    return call, time.perf_counter() - started
