# SPDX-License-Identifier: BSD-3-Clause
"""The one reference of flash_attn_with_kvcache, for both APIs, written to be read like the specification.

`attention_with_kvcache(api, kwargs, precision)` takes the very keyword arguments that the API function takes and never
modifies them. Everything is evaluated on the CPU, one sequence at a time, all heads at once.

Notation: b sequences; h query heads, hk key heads; sq, sk real lengths of one sequence; i a query row, j a key, both
counted inside the sequence from its first valid key; delta = sk - sq.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

import torch
from torch import Tensor

from tests.support.mask import mask_rule_v2, mask_rule_v3

INF = float("inf")


class Precision(Enum):
    """What is rounded on the way.

    EXACT       nothing: float64 throughout. The truth every result is measured against.
    SAME_DTYPE  the plain PyTorch formula evaluated in the input dtype: rotated q and k, scores, probabilities and
                output are tensors of that dtype. Its distance from EXACT is the unit of the accuracy rule.
    """

    EXACT = "exact"
    SAME_DTYPE = "same dtype"


@dataclass
class Result:
    out: Tensor  # float64, shape of the API's output
    lse: Tensor  # float64, (b, h, sq) or (h, total_q)
    written: Tensor  # bool, shape of out without heads and features: rows that belong to a sequence
    k_cache: Tensor  # the caches afterwards, in their dtype
    v_cache: Tensor
    k_exact: Tensor  # float64, shape of k_cache: the rotated keys without rounding (only where k_tol > 0)
    k_tol: Tensor  # float64, shape of k_cache: allowed |difference| from k_exact; 0 means bit-identical to k_cache
    max_logit: float  # largest |logit|, or |scale| * sum_f |q_f k_f| before cancellation and softcap: scales tolerances
    # With rotary, else 0. norm = |scale| * sqrt(sum_f (q_f k_f)^2): relative errors eps of the products of a logit move
    # it by eps * norm.
    max_rotated_norm: float
    rotation_spread: Tensor  # shape of out: sum_j p_j norm_j (|v_j| + |out|), what they do to out at most
    most_rows: int  # of a sequence and kv head: query rows times the heads that share the keys


# --------------------------------------------------------------------------------------------------------------------
# Rotary


def rotate(x: Tensor, cos: Tensor, sin: Tensor, interleaved: bool) -> tuple[Tensor, Tensor]:
    """x (s, h, d) with cos, sin (s, rotary_dim / 2), all float64. Returns the rotated x and |a cos| + |b sin|, the size
    of the terms that were added (0 for the features that do not rotate)."""
    half = cos.shape[-1]
    first = slice(0, 2 * half, 2) if interleaved else slice(0, half)
    second = slice(1, 2 * half, 2) if interleaved else slice(half, 2 * half)
    cos, sin = cos.unsqueeze(1), sin.unsqueeze(1)
    a, b = x[..., first], x[..., second]
    out, terms = x.clone(), torch.zeros_like(x)
    out[..., first] = a * cos - b * sin
    out[..., second] = a * sin + b * cos
    terms[..., first] = (a * cos).abs() + (b * sin).abs()
    terms[..., second] = (a * sin).abs() + (b * cos).abs()
    return out, terms


def rotation_tolerance(rotated: Tensor, terms: Tensor, dtype: torch.dtype) -> Tensor:
    """How far a value of `dtype` may be from what `rotate` returned: one unit in the last place, and what fp32
    arithmetic loses when the two terms cancel."""
    return ulp(rotated, dtype) + terms * 2.0**-22


def ulp(x: Tensor, dtype: torch.dtype) -> Tensor:
    """Spacing of `dtype` at |x| (float64), subnormals included."""
    info = torch.finfo(dtype)
    exponent = torch.floor(torch.log2(x.abs().clamp_min(info.tiny)))
    return torch.exp2(exponent) * info.eps


# --------------------------------------------------------------------------------------------------------------------
# The function


def _ints(x: Any, b: int, default: int) -> list[int]:
    if x is None:
        return [default] * b
    if isinstance(x, Tensor):
        return [int(v) for v in x.tolist()]
    return [int(x)] * b


def attention_with_kvcache(api: str, kwargs: dict[str, Any], precision: Precision) -> Result:
    arg: Callable[..., Any] = kwargs.get
    q, k_new, v_new, qv = arg("q"), arg("k"), arg("v"), arg("qv")
    k_cache, v_cache = arg("k_cache").clone(), arg("v_cache").clone()
    dtype = q.dtype
    h, d = q.shape[-2:]
    hk, dv = v_cache.shape[-2:]
    group = h // hk

    # Sequences and their lengths.
    cu_q = arg("cu_seqlens_q")
    b = q.shape[0] if cu_q is None else cu_q.numel() - 1
    q_start = [n * q.shape[1] for n in range(b)] if cu_q is None else cu_q.tolist()[:-1]
    q_len = [q.shape[1]] * b if cu_q is None else (cu_q[1:] - cu_q[:-1]).tolist()
    max_seqlen_q = q.shape[1] if cu_q is None else int(arg("max_seqlen_q"))
    q_rows = q.reshape(-1, h, d)
    qv_rows = None if qv is None else qv.reshape(-1, h, dv)

    table = arg("block_table") if api == "v2" else arg("page_table")
    page_size = k_cache.shape[1]
    capacity = page_size if table is None else table.shape[1] * page_size
    cache_seqlens = _ints(arg("cache_seqlens"), b, capacity)
    leftpad = _ints(arg("cache_leftpad"), b, 0)
    cache_row = _ints(arg("cache_batch_idx"), b, 0) if arg("cache_batch_idx") is not None else list(range(b))

    cu_new = arg("cu_seqlens_k_new") if k_new is not None else None
    if k_new is None:
        new_start, new_len = [0] * b, [0] * b
    elif cu_new is None:
        new_start, new_len = [n * k_new.shape[1] for n in range(b)], [k_new.shape[1]] * b
    else:
        new_start, new_len = cu_new.tolist()[:-1], (cu_new[1:] - cu_new[:-1]).tolist()

    # Mask and score options.
    window = [int(w) for w in arg("window_size", (-1, -1))]
    causal = bool(arg("causal", False))
    if api == "v2":
        mask = mask_rule_v2(causal, window[0], window[1], capacity)
    else:
        chunk = int(arg("attention_chunk", 0))
        mask = mask_rule_v3(causal, window[0], window[1], chunk, capacity, max_seqlen_q)
    scale = arg("softmax_scale")
    if scale is None:
        scale = (d + (0 if qv is None else dv)) ** -0.5
    softcap = float(arg("softcap", 0.0))
    slopes = arg("alibi_slopes")
    masked_lse = INF if api == "v2" or b * k_cache.shape[1] + sum(new_len) == 0 else -INF

    cos, sin = arg("rotary_cos"), arg("rotary_sin")
    interleaved = bool(arg("rotary_interleaved", True))
    rotary_start = _ints(arg("rotary_seqlens"), b, 0) if arg("rotary_seqlens") is not None else cache_seqlens

    if q_rows.shape[0] == 0:
        new_len = [0] * b  # without a single query nothing is launched, so nothing is appended either

    k_exact = torch.zeros(k_cache.shape, dtype=torch.float64)
    k_tol = torch.zeros(k_cache.shape, dtype=torch.float64)
    out = torch.zeros((q_rows.shape[0], h, dv), dtype=torch.float64)
    lse = torch.full((q_rows.shape[0], h), masked_lse, dtype=torch.float64)
    spread = torch.zeros_like(out)
    written = torch.zeros(q_rows.shape[0], dtype=torch.bool)
    max_logit = max_rotated_norm = 0.0

    def round_stored(x: Tensor) -> Tensor:
        return x if precision is Precision.EXACT else x.to(dtype).double()

    def slots(n: int, first: int, last: int) -> tuple[Tensor, Tensor]:
        """Index pair into the first two axes of the caches of positions [first, last) of sequence n."""
        position = torch.arange(first, last)
        if table is None:
            return torch.full_like(position, cache_row[n]), position
        return table[cache_row[n]].long()[position // page_size], position % page_size

    for n in range(b):
        # 1. Append.
        rows = slice(new_start[n], new_start[n] + new_len[n])
        appended = None
        if new_len[n]:
            k_n, v_n = k_new.reshape(-1, hk, d)[rows], v_new.reshape(-1, hk, dv)[rows]
            at = slots(n, cache_seqlens[n], cache_seqlens[n] + new_len[n])
            appended = k_n.double()
            if cos is not None:
                position = slice(rotary_start[n], rotary_start[n] + new_len[n])
                appended, terms = rotate(appended, cos[position].double(), sin[position].double(), interleaved)
                k_n = k_n.clone()
                features = slice(0, 2 * cos.shape[1])
                k_n[..., features] = appended[..., features].to(dtype)
                k_tol[at] = torch.where(terms > 0, rotation_tolerance(appended, terms, dtype), 0.0)
                k_exact[at] = appended
            k_cache[at], v_cache[at] = k_n, v_n
            appended = round_stored(appended)

        # 2. The sequence's queries, keys and values.
        sq, sk = q_len[n], cache_seqlens[n] - leftpad[n] + new_len[n]
        rows = slice(q_start[n], q_start[n] + sq)
        written[rows] = True
        if sq == 0 or sk <= 0:
            continue
        at = slots(n, leftpad[n], leftpad[n] + sk)
        keys, values, query = k_cache[at].double(), v_cache[at].double(), q_rows[rows].double()
        if appended is not None:
            keys[sk - new_len[n] :] = appended
        if cos is not None:
            per_row = mask.is_causal or mask.is_local
            steps = torch.arange(sq) if per_row else torch.zeros(sq, dtype=torch.long)
            row_cos, row_sin = (x[rotary_start[n] + steps].double() for x in (cos, sin))
            query = round_stored(rotate(query, row_cos, row_sin, interleaved)[0])
        query_v = None if qv_rows is None else qv_rows[rows].double()

        # 3. Attention. Shapes from here on: (h, sq, ...) and (h, sk, ...).
        bias = None
        if slopes is not None:
            slope = (slopes if slopes.dim() == 1 else slopes[n]).double().view(-1, 1, 1)
            p = (torch.arange(sq) + (sk - sq)).view(1, -1, 1)
            j = torch.arange(sk).view(1, 1, -1)
            bias = -slope * (p - j).abs()
        visible = mask.visible(sq, sk)

        def heads_first(x: Tensor, repeat: int = 1) -> Tensor:
            return x.transpose(0, 1).repeat_interleave(repeat, dim=0)

        descale = [None if arg(f"{t}_descale") is None else arg(f"{t}_descale")[n].double() for t in "qkv"]
        if dtype != torch.float8_e4m3fn:
            descale = [None, None, None]
        score_factor = torch.ones(hk, dtype=torch.float64)
        for factor in descale[:2]:
            score_factor = score_factor if factor is None else score_factor * factor
        value_factor = torch.ones(hk, dtype=torch.float64) if descale[2] is None else descale[2]

        heads_q, heads_k = heads_first(query), heads_first(keys, group)
        factor = scale * score_factor.repeat_interleave(group).view(-1, 1, 1)
        norms = None
        if cos is not None:
            norms = torch.sqrt(heads_q.square() @ heads_k.square().transpose(1, 2)) * factor.abs()
            max_rotated_norm = max(max_rotated_norm, float((norms * visible).max()))
        terms = heads_q.abs() @ heads_k.abs().transpose(1, 2) * factor.abs()
        if query_v is not None:
            terms += heads_first(query_v).abs() @ heads_first(values, group).abs().transpose(1, 2) * factor.abs()
        max_logit = max(max_logit, float((terms * visible).max()))
        o, l, top, o_spread = _attend(
            heads_q,
            heads_k,
            heads_first(values, group),
            None if query_v is None else heads_first(query_v),
            factor,
            value_factor.repeat_interleave(group).view(-1, 1, 1),
            softcap,
            bias,
            visible,
            norms,
            dtype if precision is Precision.SAME_DTYPE else None,
        )
        max_logit = max(max_logit, top)
        o = torch.where(visible.any(-1).view(1, -1, 1), o, 0.0)
        l = torch.where(visible.any(-1).view(1, -1), l, masked_lse)
        if slopes is not None and mask.is_causal:
            # v2's causal kernel adds slope * j: the same softmax, but an LSE larger by slope * (i + delta).
            l = l + slope[..., 0] * p[..., 0]
        out[rows], lse[rows], spread[rows] = o.transpose(0, 1), l.transpose(0, 1), o_spread.transpose(0, 1)

    if cu_q is None:
        sq = q.shape[1]
        out, spread, written = out.view(b, sq, h, dv), spread.view(b, sq, h, dv), written.view(b, sq)
        lse = lse.view(b, sq, h).transpose(1, 2)
    else:
        lse = lse.transpose(0, 1)
    most_rows = max(q_len, default=0) * group
    return Result(out, lse, written, k_cache, v_cache, k_exact, k_tol, max_logit, max_rotated_norm, spread, most_rows)


def _attend(
    q: Tensor,  # (h, sq, d), float64 like all that follow
    k: Tensor,  # (h, sk, d)
    v: Tensor,  # (h, sk, dv)
    qv: Tensor | None,  # (h, sq, dv)
    scale: Tensor,  # (h, 1, 1)
    value_factor: Tensor,  # (h, 1, 1)
    softcap: float,
    bias: Tensor | None,  # (h, sq, sk)
    visible: Tensor,  # (sq, sk)
    norms: Tensor | None,  # (h, sq, sk), see Result.rotation_spread; None: 0
    dtype: torch.dtype | None,  # None: float64. Else every tensor of the formula has this dtype.
) -> tuple[Tensor, Tensor, float, Tensor]:
    """out (h, sq, dv), lse (h, sq), largest |logit|, rotation_spread (h, sq, dv)."""
    if dtype is None:
        score = q @ k.transpose(1, 2)
        if qv is not None:
            score = score + qv @ v.transpose(1, 2)
        score = score * scale
        if softcap > 0:
            score = softcap * torch.tanh(score / softcap)
        if bias is not None:
            score = score + bias
        score = score.masked_fill(~visible, -INF)
        finite = score[score > -INF]
        top = float(finite.abs().max()) if finite.numel() else 0.0
        lse = torch.logsumexp(score, dim=-1)
        probability = torch.exp(score - lse.unsqueeze(-1).nan_to_num(neginf=0.0))
        out = probability @ v
        spread = torch.zeros_like(out)
        if norms is not None:
            moved = probability * norms
            spread = (moved @ v.abs() + moved.sum(-1, keepdim=True) * out.abs()).nan_to_num()
        return out * value_factor, lse, top, spread * value_factor

    # What a user would write in PyTorch with tensors of this dtype. fp8 has no arithmetic there: it computes in
    # fp32, rounds the probabilities to e4m3 as the hardware would, and the output is bf16.
    fp8 = dtype == torch.float8_e4m3fn
    work = torch.float32 if fp8 else dtype
    q, k, v = q.to(work), k.to(work), v.to(work)
    score = (q * scale.to(work)) @ k.transpose(1, 2)
    if qv is not None:
        score = score + (qv.to(work) * scale.to(work)) @ v.transpose(1, 2)
    if softcap > 0:
        score = torch.tanh(score / softcap) * softcap
    if bias is not None:
        score = score + bias.to(work)
    score = score.masked_fill(~visible, -INF)
    probability = torch.softmax(score, dim=-1)
    if fp8:
        probability = probability.to(dtype).to(work)
    out = ((probability.nan_to_num() @ v) * value_factor.to(work)).to(torch.bfloat16 if fp8 else dtype)
    return out.double(), torch.logsumexp(score.float(), dim=-1).double(), math.nan, torch.zeros_like(out).double()
