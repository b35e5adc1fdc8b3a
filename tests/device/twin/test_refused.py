# SPDX-License-Identifier: BSD-3-Clause
"""What the 910B cannot compute is refused, by name, before anything is written."""

from __future__ import annotations

import pytest

from tests.support.call import call
from tests.support.cases import Case, build
from tests.support.harness import bit_equal
from tests.support.seed import SEED


@pytest.mark.parametrize("api", ["v2", "v3"])
@pytest.mark.parametrize("changes", [{}, {"seqlen_new": 2, "cache_seqlens": 5, "rotary_dim": 16}, {"seqlen_q": 40}])
def test_float32(api: str, changes: dict) -> None:
    built = build(Case(api, SEED, "float32", **changes))
    before = built.clone()
    with pytest.raises(NotImplementedError, match=r"^q: got dtype torch.float32, expected torch.float16, "):
        call(api, built.kwargs)
    assert all(bit_equal(base, built.bases[name]) for name, base in before.bases.items())


def test_unknown_choice_of_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    built = build(Case("v3", SEED, "float16", seqlen_new=2, cache_seqlens=5))
    before = built.clone()
    monkeypatch.setenv("FLASH_ATTN_NPU_DEVICE_KERNELS", "slow")
    with pytest.raises(RuntimeError, match="FLASH_ATTN_NPU_DEVICE_KERNELS: got slow, expected general or fast"):
        call("v3", built.kwargs)
    assert all(bit_equal(base, built.bases[name]) for name, base in before.bases.items())
