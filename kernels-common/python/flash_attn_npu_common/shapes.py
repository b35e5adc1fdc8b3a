# SPDX-License-Identifier: BSD-3-Clause
"""Shapes and dtypes of results, for fake and meta tensors: those that `api::out_shape` and the like give real ones.

Fake tensors have symbolic sizes, which C++ cannot compute with; `torch.library.opcheck` compares both in the tests.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def out_and_lse(q: Tensor, k_cache: Tensor, v_cache: Tensor, *_: Any) -> tuple[Tensor, Tensor]:
    """out and softmax_lse of a call: (total_q, nheads, headdim) queries are packed ones."""
    out_dtype = torch.bfloat16 if q.dtype == torch.float8_e4m3fn else q.dtype
    out = q.new_empty((*q.shape[:-1], v_cache.shape[-1]), dtype=out_dtype)
    lse_shape = (q.shape[1], q.shape[0]) if q.dim() == 3 else (q.shape[0], q.shape[2], q.shape[1])
    return out, q.new_empty(lse_shape, dtype=torch.float32)


def out_and_lse_with_partials(*args: Any) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """As `out_and_lse`, and the results of the single splits. The last argument is num_splits."""
    out, softmax_lse = out_and_lse(*args)
    num_splits = args[-1]
    out_accum = softmax_lse.new_empty((num_splits, *softmax_lse.shape, out.shape[-1]))
    return out, softmax_lse, out_accum, softmax_lse.new_empty((num_splits, *softmax_lse.shape))
