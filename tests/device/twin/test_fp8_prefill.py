# SPDX-License-Identifier: BSD-3-Clause
"""Prefill on fp8 caches: converted once; queries scaled so that half holds the scores, or else the general kernel."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.support.call import call
from tests.support.cases import Built, Case, build
from tests.support.harness import check_built
from tests.support.seed import SEED

CASES: dict[str, dict[str, Any]] = {
    "causal": {"seqlen_q": 300, "capacity": 700, "causal": True, "descale": "qkv"},
    "no descales": {"seqlen_q": 300, "capacity": 500},
    "pages": {"seqlen_q": 280, "capacity": 500, "page_size": 16, "cache_seqlens": (480, 300), "descale": "kv"},
    "append, rotary": {
        "seqlen_q": 260,
        "capacity": 600,
        "seqlen_new": 260,
        "cache_seqlens": (300, 0),
        "rotary_dim": 32,
        "rotary_interleaved": False,
        "causal": True,
        "d": 64,
    },
    "varlen": {"seqlen_q": (280, 3), "capacity": 400, "cache_seqlens": (390, 77), "causal": True, "descale": "q"},
    "batch index": {
        "seqlen_q": 270,
        "capacity": 300,
        "batch_idx": True,
        "leftpad": (9, 0),
        "cache_seqlens": (290, 280),
    },
    "window": {"seqlen_q": 300, "capacity": 700, "window": (50, 0), "cache_layout": "slice"},
    "head dims 192, 128": {"seqlen_q": 300, "capacity": 300, "d": 192, "dv": 128, "descale": "qkv"},
    "head dim 256": {"seqlen_q": 260, "capacity": 300, "d": 256, "descale": "v"},
    # As if values had been scaled to fill e4m3.
    "large queries, small scale": {"seqlen_q": 300, "capacity": 400, "q_scale": 100.0, "softmax_scale": 1e-3},
    "tiny scale": {"seqlen_q": 300, "capacity": 400, "q_scale": 100.0, "softmax_scale": 1e-9},
}


@pytest.fixture(autouse=True)
def prefill_wherever_it_can_serve(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLASH_ATTN_NPU_DEVICE_KERNELS", "fast")


def fp8(changes: dict[str, Any]) -> Built:
    return build(Case("v3", SEED, "float8_e4m3fn", **{"heads": 4, "heads_k": 2, "d": 128, **changes}))


@pytest.mark.parametrize("name", CASES)
def test_prefill(name: str) -> None:
    check_built(fp8(CASES[name]))


def test_scores_beyond_half() -> None:
    built = fp8({"seqlen_q": 300, "capacity": 400, "q_scale": 100.0, "softmax_scale": 1e-5})
    built.kwargs["q"][0, 5, 0] = 448
    built.kwargs["k_cache"][0, 3, 0] = 448
    check_built(built)


@pytest.mark.parametrize("value", [-0.5, 0.0, 1e-20])
def test_descale_that_half_scores_are_not_for(value: float) -> None:
    built = fp8({"seqlen_q": 300, "capacity": 400, "descale": "qk"})
    built.kwargs["k_descale"][1, 0] = value
    check_built(built)


@pytest.mark.parametrize("side", ["k_cache", "v_cache"])
def test_nan(side: str) -> None:
    """A NaN of K makes NaN of every row that sees it, one of V of its feature; the rest stays."""
    changes = {"seqlen_q": 300, "capacity": 400, "return_softmax_lse": False}
    before = call("v3", fp8(changes).kwargs)
    built = fp8(changes)
    built.kwargs[side].view(torch.uint8)[1, 7, 1, 3] = 0xFF
    out = call("v3", built.kwargs)
    expected = torch.zeros_like(out, dtype=torch.bool)
    expected[1, :, 2:, 3 if side == "v_cache" else slice(None)] = True
    assert torch.equal(out.isnan(), expected)
    assert torch.equal(out[~expected], before[~expected])
