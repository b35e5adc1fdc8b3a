# SPDX-License-Identifier: BSD-3-Clause
"""Run by the python of an environment that a wheel was just installed into: does it work?

    python ci/install_check.py v3 0.1.0

One decode step with a partly filled cache, against the formula in float64.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import sys

import torch

BATCH, HEADS, HEADS_KV, CACHE_LENGTH, HEAD_DIM = 2, 8, 2, 96, 64
BOUND = 2e-2  # bf16 output of order 1: its rounding alone is 2 ** -9 of the value


def expected_output(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, seqlens: torch.Tensor) -> torch.Tensor:
    q, k, v = (tensor.double().transpose(1, 2) for tensor in (q, k, v))
    k, v = (tensor.repeat_interleave(HEADS // HEADS_KV, dim=1) for tensor in (k, v))
    scores = q @ k.transpose(-1, -2) / HEAD_DIM**0.5
    beyond = torch.arange(CACHE_LENGTH) >= seqlens[:, None, None, None]
    return (scores.masked_fill(beyond, float("-inf")).softmax(-1) @ v).transpose(1, 2)


def main(version: str, expected_version: str) -> None:
    module = importlib.import_module(f"flash_attn_npu_{version}")
    if importlib.metadata.version(f"flash-attn-npu-{version}") != expected_version:
        sys.exit(f"installed is {importlib.metadata.version(f'flash-attn-npu-{version}')}, not {expected_version}")
    torch.manual_seed(0)
    q = torch.randn(BATCH, 1, HEADS, HEAD_DIM, dtype=torch.bfloat16)
    k, v = (torch.randn(BATCH, CACHE_LENGTH, HEADS_KV, HEAD_DIM, dtype=torch.bfloat16) for _ in range(2))
    seqlens = torch.tensor([70, 33], dtype=torch.int32)
    out = module.flash_attn_with_kvcache(q, k, v, cache_seqlens=seqlens, causal=True)
    error = (out.double() - expected_output(q, k, v, seqlens)).abs().max().item()
    print(f"{module.__file__}: version {expected_version}, largest error against float64 {error:.2e}")
    if not error < BOUND:
        sys.exit(f"the error is above {BOUND}")


if __name__ == "__main__":
    main(*sys.argv[1:])
