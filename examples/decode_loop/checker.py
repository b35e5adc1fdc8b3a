# SPDX-License-Identifier: BSD-3-Clause
"""Checks a step against the float64 reference, from the tokens themselves: it never looks into the cache.

So a page given to two sequences, a key rotated for a wrong position or a row written to a wrong place is noticed: now,
or when the row is read.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from examples.decode_loop.attention_layer import StepInputs
from examples.decode_loop.scheduler import Part, Running
from tests.support.harness import allowed_error
from tests.support.reference import Precision, attention_with_kvcache, rotate


@dataclass
class History:
    """All keys and values of a sequence so far, not rotated."""

    k: Tensor
    v: Tensor


class StepChecker:
    """Keeps the history of all sequences; checks a head of one of them per step, and of a prefill if there is one."""

    def __init__(self, cos: Tensor, sin: Tensor, seed: int):
        self._cos, self._sin = cos.double(), sin.double()
        self._rng = random.Random(seed)
        self._histories: WeakKeyDictionary[Running, History] = WeakKeyDictionary()
        self.checked = 0
        self.worst = 0.0  # largest error as a share of what is allowed

    def check(self, parts: Sequence[Part], inputs: StepInputs, out: Tensor) -> None:
        """
        Raises:
            AssertionError: an error beyond twice that of the same-dtype PyTorch formula; see `allowed_error`.
        """
        starts = [0]
        for part in parts:
            new = slice(starts[-1], starts[-1] + part.tokens)
            self._extend(part.running, inputs.k[new], inputs.v[new])
            starts.append(new.stop)
        sample = {self._rng.randrange(len(parts))}
        sample |= set(self._rng.sample([n for n, part in enumerate(parts) if part.tokens > 1] or [0], 1))
        for n in sample:
            self._check_head(
                parts[n], inputs.q[starts[n] : starts[n + 1]], out[starts[n] : starts[n + 1]], inputs.k.shape[1]
            )

    def _extend(self, running: Running, k: Tensor, v: Tensor) -> None:
        history = self._histories.get(running)
        if history is None:
            self._histories[running] = History(k, v)
        else:
            history.k, history.v = torch.cat([history.k, k]), torch.cat([history.v, v])

    def _check_head(self, part: Part, q: Tensor, out: Tensor, num_heads_k: int) -> None:
        head = self._rng.randrange(q.shape[1])
        head_k = head * num_heads_k // q.shape[1]
        history = self._histories[part.running]
        length = history.k.shape[0]
        every, new = slice(0, length), slice(length - part.tokens, length)
        k, _ = rotate(history.k[:, head_k : head_k + 1].double(), self._cos[every], self._sin[every], interleaved=False)
        q_rotated, _ = rotate(q[:, head : head + 1].double(), self._cos[new], self._sin[new], interleaved=False)
        v = history.v[:, head_k : head_k + 1].double()

        def attend(dtype: torch.dtype, precision: Precision) -> Tensor:
            tensors = (x.to(dtype).unsqueeze(0) for x in (q_rotated, k, v))
            kwargs = dict(zip(("q", "k_cache", "v_cache"), tensors), causal=True)
            return attention_with_kvcache("v3", kwargs, precision).out[0, :, 0]

        exact = attend(torch.float64, Precision.EXACT)
        allowed = allowed_error(exact, attend(q.dtype, Precision.SAME_DTYPE), q.dtype)
        error = (out[:, head].double() - exact).abs()
        worst = int((error / allowed).argmax())
        error_there, allowed_there = float(error.flatten()[worst]), float(allowed.flatten()[worst])
        assert error_there <= allowed_there, (
            f"head {head} of a sequence with {length - part.tokens} + {part.tokens} tokens: error {error_there:.3e}, "
            f"allowed {allowed_there:.3e}"
        )
        self.checked += 1
        self.worst = max(self.worst, error_there / allowed_there)
