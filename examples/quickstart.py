# SPDX-License-Identifier: BSD-3-Clause
"""The first call, in both APIs, and how far it is from float64.

    python -m examples.quickstart

Needs flash_attn_npu_v2 or flash_attn_npu_v3, or both.
"""

from __future__ import annotations

import importlib
import importlib.util

import torch
import torch.nn.functional as F


def main() -> None:
    torch.manual_seed(0)
    # (batch, length, heads, head_dim): one new query per sequence, on a cache of 1000 keys with a quarter of the heads.
    q = torch.randn(2, 1, 32, 128, dtype=torch.bfloat16)
    k_cache, v_cache = torch.randn(2, 2, 1000, 8, 128, dtype=torch.bfloat16).unbind()
    q64, k64, v64 = (x.double().transpose(1, 2) for x in (q, k_cache, v_cache))
    exact = F.scaled_dot_product_attention(q64, k64, v64, enable_gqa=True).transpose(1, 2)

    versions = [v for v in ("flash_attn_npu_v2", "flash_attn_npu_v3") if importlib.util.find_spec(v)]
    if not versions:
        raise SystemExit("Neither flash_attn_npu_v2 nor flash_attn_npu_v3 is installed: pip install ./packages/...")
    for version in versions:
        flash_attn_with_kvcache = importlib.import_module(version).flash_attn_with_kvcache
        out = flash_attn_with_kvcache(q, k_cache, v_cache, causal=True)
        print(f"{version}: out {tuple(out.shape)}, off from float64 by {(out - exact).abs().max():.1e} at most")


if __name__ == "__main__":
    main()
