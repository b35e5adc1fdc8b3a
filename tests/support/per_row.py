# SPDX-License-Identifier: BSD-3-Clause
"""A second, deliberately different implementation, to check the reference with: one query row of one head at a time,
Python floats and lists, positions looked up one by one. It shares no code with reference.py."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor


def _rotated(x: list[float], cos: list[float], sin: list[float], interleaved: bool) -> list[float]:
    y = list(x)
    for m in range(len(cos)):
        a, b = (2 * m, 2 * m + 1) if interleaved else (m, m + len(cos))
        y[a] = x[a] * cos[m] - x[b] * sin[m]
        y[b] = x[b] * cos[m] + x[a] * sin[m]
    return y


def _dot(a: list[float], b: list[float]) -> float:
    return math.fsum(x * y for x, y in zip(a, b))


def out_and_lse(api: str, kw: dict[str, Any]) -> tuple[dict, dict]:
    """{(n, i, head): out row}, {(n, i, head): lse} for every row of every sequence."""
    b = len(kw["cu_seqlens_q"]) - 1 if "cu_seqlens_q" in kw else kw["q"].shape[0]
    outs: dict[tuple[int, int, int], list[float]] = {}
    lses: dict[tuple[int, int, int], float] = {}
    for n in range(b):
        _sequence(api, kw, b, n, outs, lses)
    return outs, lses


def _sequence(api: str, kw: dict[str, Any], b: int, n: int, outs: dict, lses: dict) -> None:
    q, kc, vc = kw["q"].double(), kw["k_cache"].double(), kw["v_cache"].double()
    packed = "cu_seqlens_q" in kw
    h, hk = q.shape[-2], kc.shape[-2]
    table = kw.get("block_table", kw.get("page_table"))
    capacity = kc.shape[1] * (1 if table is None else table.shape[1])
    first_q = int(kw["cu_seqlens_q"][n]) if packed else 0
    sq = int(kw["cu_seqlens_q"][n + 1]) - first_q if packed else q.shape[1]
    old = kw.get("cache_seqlens")
    old = capacity if old is None else int(old[n]) if isinstance(old, Tensor) else old
    pad = int(kw["cache_leftpad"][n]) if "cache_leftpad" in kw else 0
    which = int(kw["cache_batch_idx"][n]) if "cache_batch_idx" in kw else n
    if "k" not in kw:
        new = 0
    elif "cu_seqlens_k_new" in kw:
        first_new = int(kw["cu_seqlens_k_new"][n])
        new = int(kw["cu_seqlens_k_new"][n + 1]) - first_new
    else:
        new = kw["k"].shape[1]
    total = old + new
    start = int(kw["rotary_seqlens"][n]) if "rotary_seqlens" in kw else old
    rotary = kw.get("rotary_cos") is not None
    cos = kw["rotary_cos"].double().tolist() if rotary else None
    sin = kw["rotary_sin"].double().tolist() if rotary else None
    interleaved = kw.get("rotary_interleaved", True)

    def key_value(position: int, head: int) -> tuple[list[float], list[float]]:
        if position < old:
            if table is None:
                slot = (which, position)
            else:
                slot = (int(table[which][position // kc.shape[1]]), position % kc.shape[1])
            return kc[slot][head].tolist(), vc[slot][head].tolist()
        t = position - old
        slot = (first_new + t,) if "cu_seqlens_k_new" in kw else (n, t)
        key, value = kw["k"].double()[slot][head].tolist(), kw["v"].double()[slot][head].tolist()
        return (_rotated(key, cos[start + t], sin[start + t], interleaved) if rotary else key), value

    # The window, with the quirks as the API's documents describe them.
    left, right = (int(w) for w in kw.get("window_size", (-1, -1)))
    chunk = kw.get("attention_chunk", 0)
    causal = kw.get("causal", False)
    max_q = int(kw["max_seqlen_q"]) if packed else q.shape[1]
    if causal:
        right = 0
    if api == "v2":
        if left >= capacity:
            left = -1
        if right >= capacity:
            right = -1
        if left >= 0 and right < 0:
            right = capacity
    else:
        if left >= capacity - 1:
            left = -1
        if right >= max_q - 1 and not causal:
            right = -1
    causal_kernel = left < 0 and right == 0 and chunk == 0
    moving = left >= 0 or right >= 0 or chunk > 0

    no_keys_at_all = b * kc.shape[1] + (kw["k"].numel() if "k" in kw else 0) == 0
    for head in range(h):
        hkey = head // (h // hk)
        pairs = {p: key_value(p, hkey) for p in range(pad, total)}
        for i in range(sq):
            row = (first_q + i,) if packed else (n, i)
            query = q[row][head].tolist()
            if rotary:
                at = start + (i if moving else 0)
                query = _rotated(query, cos[at], sin[at], interleaved)
            scale = kw.get("softmax_scale")
            if scale is None:
                scale = 1 / math.sqrt(len(query) + (kw["qv"].shape[-1] if "qv" in kw else 0))
            logits, values = [], []
            sk = total - pad
            here = i + sk - sq
            for j in range(sk):
                if left >= 0 and j < here - left:
                    continue
                if right >= 0 and j > here + right:
                    continue
                if chunk > 0 and j // chunk != here // chunk:
                    continue
                key, value = pairs[pad + j]
                s = _dot(query, key)
                if "qv" in kw:
                    s += _dot(kw["qv"].double()[row][head].tolist(), value)
                if q_is_fp8(kw):
                    for name in ("q_descale", "k_descale"):
                        s *= float(kw[name][n, hkey]) if name in kw else 1.0
                    if "v_descale" in kw:
                        value = [x * float(kw["v_descale"][n, hkey]) for x in value]
                s *= scale
                if kw.get("softcap", 0) > 0:
                    s = kw["softcap"] * math.tanh(s / kw["softcap"])
                if "alibi_slopes" in kw:
                    slopes = kw["alibi_slopes"]
                    slope = float(slopes[head] if slopes.dim() == 1 else slopes[n, head])
                    s += slope * j if causal_kernel else -slope * abs(here - j)
                logits.append(s)
                values.append(value)
            if not logits:
                outs[n, i, head] = [0.0] * vc.shape[-1]
                lses[n, i, head] = math.inf if api == "v2" or no_keys_at_all else -math.inf
                continue
            top = max(logits)
            weights = [math.exp(s - top) for s in logits]
            denominator = math.fsum(weights)
            outs[n, i, head] = [
                math.fsum(w * value[f] for w, value in zip(weights, values)) / denominator for f in range(vc.shape[-1])
            ]
            lses[n, i, head] = top + math.log(denominator)


def q_is_fp8(kw: dict[str, Any]) -> bool:
    return kw["q"].dtype == torch.float8_e4m3fn
