# SPDX-License-Identifier: BSD-3-Clause
"""A server's loop on npu: prefill, then decode with paged caches on two layers, without a wait until the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable

import pytest
import torch
from torch import Tensor

from flash_attn_npu_v3 import flash_attn_with_kvcache
from tests.support.harness import allowed_error
from tests.support.reference import Precision, attention_with_kvcache
from tests.support.seed import SEED

BATCH, HEADS, HEADS_K, DIM, PAGE, PAGES, LAYERS, STEPS = 3, 8, 2, 64, 16, 30, 2, 12
PROMPTS = (1, 17, 40)


def reference(precision: Precision) -> Callable[..., Tensor]:
    """Attention as the reference of the tests computes it, with the signature of flash_attn_with_kvcache."""

    def attend(q: Tensor, k_cache: Tensor, v_cache: Tensor, **options: Any) -> Tensor:
        result = attention_with_kvcache("v3", {"q": q, "k_cache": k_cache, "v_cache": v_cache, **options}, precision)
        k_cache.copy_(result.k_cache)
        v_cache.copy_(result.v_cache)
        return result.out.to(q.dtype)

    return attend


@dataclass
class Model:
    """Attention layers with random projections: enough that every token depends on all before it."""

    device: str
    dtype: torch.dtype = torch.float16
    attend: Callable[..., Tensor] = flash_attn_with_kvcache

    def __post_init__(self) -> None:
        generator = torch.Generator().manual_seed(SEED)

        def random(*shape: int, scale: float) -> Tensor:
            return (torch.randn(*shape, generator=generator) * scale).half().to(self.device, self.dtype)

        features = HEADS * DIM
        self.to_q = [random(features, features, scale=features**-0.5) for _ in range(LAYERS)]
        self.to_kv = [random(features, 2 * HEADS_K * DIM, scale=features**-0.5) for _ in range(LAYERS)]
        self.prompts = [random(n, features, scale=1.0) for n in PROMPTS]
        angle = torch.arange(PAGE * PAGES // BATCH).view(-1, 1) * 10000.0 ** (-torch.arange(0, DIM, 2) / DIM)
        self.cos, self.sin = (x.half().to(self.device, self.dtype) for x in (angle.cos(), angle.sin()))
        # Pages interleave, so that no sequence owns a run of them.
        table = torch.arange(PAGES, dtype=torch.int32).view(-1, BATCH).t().contiguous()
        self.page_table = table.to(self.device)
        self.k = torch.zeros(LAYERS, PAGES, PAGE, HEADS_K, DIM, dtype=self.dtype, device=self.device)
        self.v = torch.zeros_like(self.k)

    def layer(self, n: int, x: Tensor, seqlens: Tensor, cu_seqlens: Tensor, longest: int) -> Tensor:
        """x: (tokens of all sequences, features)."""
        q = (x @ self.to_q[n]).view(-1, HEADS, DIM)
        k, v = (x @ self.to_kv[n]).view(-1, 2, HEADS_K, DIM).unbind(1)
        out = self.attend(
            q,
            self.k[n],
            self.v[n],
            k=k,
            v=v,
            rotary_cos=self.cos,
            rotary_sin=self.sin,
            rotary_interleaved=False,
            cache_seqlens=seqlens,
            page_table=self.page_table,
            cu_seqlens_q=cu_seqlens,
            cu_seqlens_k_new=cu_seqlens,
            max_seqlen_q=longest,
            causal=True,
        )
        return out.reshape(x.shape) + x * 0.5

    def run(self) -> Tensor:
        """(STEPS, BATCH, features): what the last layer says for each new token."""
        counts = torch.tensor([0, *PROMPTS], dtype=torch.int32).cumsum(0, dtype=torch.int32).to(self.device)
        one_each = torch.arange(BATCH + 1, dtype=torch.int32).to(self.device)
        seqlens = torch.zeros(BATCH, dtype=torch.int32).to(self.device)
        x = torch.cat(self.prompts)
        for n in range(LAYERS):
            x = self.layer(n, x, seqlens, counts, max(PROMPTS))
        seqlens = seqlens + torch.tensor(PROMPTS, dtype=torch.int32).to(self.device)
        tokens = x.index_select(0, (counts[1:] - 1).long())
        said = []
        for _ in range(STEPS):
            for n in range(LAYERS):
                tokens = self.layer(n, tokens, seqlens, one_each, 1)
            said.append(tokens)
            seqlens = seqlens + 1
        return torch.stack(said)


@pytest.mark.kernels
@pytest.mark.order
def test_decode_loop() -> None:
    """Judged against the loop in float64, by the error of the plain PyTorch loop in half precision."""
    exact = Model("cpu", torch.float64, reference(Precision.EXACT)).run()
    formula = Model("cpu", torch.float16, reference(Precision.SAME_DTYPE)).run()
    assert torch.isfinite(exact).all() and exact.abs().max() > 0.01, "the loop's values say nothing"
    allowed = allowed_error(exact, formula, torch.float16)
    for device in ("cpu", "npu"):
        error = (Model(device).run().cpu().double() - exact).abs()
        worst = float((error / allowed).max())
        assert worst <= 1, f"{device}: error {float(error.max()):.3e}, {worst:.2f} of what is allowed"
    torch.npu.synchronize()


@pytest.mark.order
def test_a_step_does_not_wait() -> None:
    """torch_npu itself raises if anything in a step of the loop makes the host wait for the device."""
    model = Model("npu")
    x = torch.ones(BATCH, HEADS * DIM, dtype=torch.float16, device="npu")
    seqlens = torch.tensor(PROMPTS, dtype=torch.int32).npu()
    one_each = torch.arange(BATCH + 1, dtype=torch.int32).npu()
    torch.npu.synchronize()
    torch.npu.set_sync_debug_mode("error")
    try:
        with pytest.raises(RuntimeError):
            x.sum().item()  # the mode works
        for n in range(LAYERS):
            x = model.layer(n, x, seqlens, one_each, 1)
    finally:
        torch.npu.set_sync_debug_mode("default")
    assert torch.isfinite(x).all().item()
