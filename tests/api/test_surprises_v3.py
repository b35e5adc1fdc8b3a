# SPDX-License-Identifier: BSD-3-Clause
"""What surprises readers of FlashAttention-3 and that version 2 does not have; see test_surprises.py."""

from __future__ import annotations

import math

import pytest
import torch

from tests.support.apis import only
from tests.support.call import arguments, call, copies
from tests.support.cases import Case
from tests.support.harness import Expected, bit_equal, check
from tests.support.seed import SEED

pytestmark = only("v3")
INF = math.inf


def test_window_is_exact_with_more_queries_than_keys() -> None:
    # sq = 12 > sk = 4, delta = -8: row 0 stands at position -8 and sees j <= -8 + R. In v2, R = 6 would be unlimited.
    case = Case("v3", SEED, seqlen_q=12, capacity=6, cache_seqlens=(4, 4))
    for right, masked in ((5, 3), (6, 2), (8, 0), (11, 0)):
        lse = call("v3", arguments(case, window_size=(-1, right)))[1]
        assert (lse[..., :masked] == -INF).all() and torch.isfinite(lse[..., masked:]).all()
    assert torch.isfinite(call("v3", arguments(case, window_size=(5, -1)))[1]).all()


@pytest.mark.parametrize("max_seqlen_q", [3, 5, 6, 7, 50])
def test_locality_of_packed_queries_is_judged_by_max_seqlen_q(max_seqlen_q: int) -> None:
    """right = 5 limits none of three rows, but the caller's bound decides: it is a window if that exceeds 6."""
    case = Case(
        "v3",
        SEED,
        cache_seqlens=20,
        seqlen_q=(3, 2),
        seqlen_new=3,
        rotary_dim=32,
        window=(-1, 5),
        max_seqlen_q_extra=max_seqlen_q - 3,
    )
    check(case)


def test_rotary_seqlens_replace_cache_seqlens_as_position() -> None:
    case = Case("v3", SEED, cache_seqlens=(20, 30), seqlen_new=1, rotary_dim=16, causal=True)
    moved = arguments(case, rotary_seqlens=torch.tensor([30, 20], dtype=torch.int32))
    table = arguments(case)
    rows = torch.arange(table["rotary_cos"].shape[0])
    rows[[20, 30]] = rows[[30, 20]]
    table |= {name: table[name][rows] for name in ("rotary_cos", "rotary_sin")}
    assert torch.equal(call("v3", moved)[0], call("v3", table)[0])
    assert bit_equal(moved["k_cache"], table["k_cache"])


@pytest.mark.parametrize(("seqlen_q", "rows"), [(5, (2, 4, 5)), ((5, 2), (4, 7))], ids=["dense", "packed"])
def test_partials_combine_to_the_result(seqlen_q: int | tuple[int, ...], rows: tuple[int, ...]) -> None:
    case = Case("v3", SEED, seqlen_q=seqlen_q, capacity=200, cache_seqlens=(200, 77), dtype="float32")
    kwargs = {**arguments(case), "num_splits": 3}
    out, lse, out_accum, lse_accum = call("v3", kwargs)
    if out_accum.numel() == 0:
        assert lse_accum.numel() == 0
        return
    assert out_accum.shape == (3, *rows, 32) and lse_accum.shape == (3, *rows)
    merged_lse = torch.logsumexp(lse_accum.double(), 0)
    weight = torch.exp(lse_accum.double() - merged_lse).unsqueeze(-1)
    merged = (out_accum.double() * weight).sum(0).transpose(-3, -2)
    Expected("v3", kwargs).check(merged.to(out.dtype), merged_lse.float())


def test_without_splits_the_partials_are_empty() -> None:
    kwargs = arguments(Case("v3", SEED))
    for num_splits in (0, 1):
        *_, out_accum, lse_accum = call("v3", {**kwargs, "num_splits": num_splits})
        assert out_accum.numel() == 0 and lse_accum.numel() == 0


@pytest.mark.parametrize("page_size", [3, 16])
def test_cache_batch_idx_picks_rows_of_the_page_table(page_size: int) -> None:
    case = Case("v3", SEED, page_size=page_size, batch_idx=True, cache_seqlens=(20, 50))
    check(case)
    kwargs = arguments(case)
    picked = arguments(case, cache_batch_idx=None)
    picked["page_table"] = picked["page_table"][picked.pop("cache_batch_idx", kwargs["cache_batch_idx"]).long()]
    assert torch.equal(call("v3", kwargs)[0], call("v3", picked)[0])


def test_left_padding_of_paged_caches() -> None:
    check(Case("v3", SEED, page_size=16, cache_seqlens=(20, 50), leftpad=(17, 3), seqlen_q=4, causal=True))


@pytest.mark.parametrize("packed", [False, True])
def test_batch_zero_gives_empty_results(packed: bool) -> None:
    case = Case("v3", SEED, batch=0, seqlen_q=() if packed else 3, cache_seqlens=())
    out, lse, *_ = call("v3", arguments(case))
    assert out.shape == ((0, 4, 32) if packed else (0, 3, 4, 32))
    assert lse.shape == ((4, 0) if packed else (0, 4, 3))


def test_without_a_single_query_nothing_is_appended() -> None:
    """Upstream launches nothing then. A sequence without queries beside others does get its new keys."""
    for case in (
        Case("v3", SEED, seqlen_q=(0, 0), seqlen_new=(2, 3), cache_seqlens=(4, 5)),
        Case("v3", SEED, seqlen_q=0, seqlen_new=2, cache_seqlens=(4, 5)),
    ):
        before, after = arguments(case), arguments(case)
        call("v3", after)
        assert bit_equal(before["k_cache"], after["k_cache"]) and bit_equal(before["v_cache"], after["v_cache"])
    check(Case("v3", SEED, seqlen_q=(0, 1), seqlen_new=(2, 3), cache_seqlens=(4, 5)))


@pytest.mark.parametrize("bound", [5, 10**6, torch.tensor(5), torch.tensor(4096), torch.tensor(5, dtype=torch.int32)])
def test_max_seqlen_q_may_be_a_tensor_and_far_too_large(bound: object) -> None:
    kwargs = arguments(Case("v3", SEED, seqlen_q=(5, 2), page_size=16, causal=True))
    expected = call("v3", {**kwargs, "max_seqlen_q": 5})
    result = call("v3", {**kwargs, "max_seqlen_q": bound})
    assert torch.equal(result[0], expected[0]) and torch.equal(result[1], expected[1])


def test_large_max_seqlen_q_when_appending() -> None:
    """vllm-ascend passes the longest *key* length."""
    kwargs = arguments(Case("v3", SEED, seqlen_q=(5, 2), seqlen_new=(5, 2), cache_seqlens=(20, 50), causal=True))
    expected = call("v3", copies(kwargs))[0]
    assert torch.equal(call("v3", {**kwargs, "max_seqlen_q": 64})[0], expected)


def test_default_scale_with_qv_counts_both_head_dims() -> None:
    kwargs = arguments(Case("v3", SEED, d=64, dv=256, qv=True))
    expected = call("v3", {**kwargs, "softmax_scale": (64 + 256) ** -0.5})[0]
    assert torch.equal(call("v3", kwargs)[0], expected)


def test_chunks_of_negative_positions_round_down() -> None:
    # sq = 6, sk = 2: rows 0..3 stand at -4..-1, in the chunk [-4, 0) (C = 4), which holds no key.
    case = Case("v3", SEED, seqlen_q=6, cache_seqlens=(2, 2), attention_chunk=4)
    out, lse, *_ = call("v3", arguments(case))
    assert (lse[..., :4] == -INF).all() and (out[:, :4] == 0).all()
    assert torch.isfinite(lse[..., 4:]).all()
    check(case)


def test_descales_are_per_key_head_also_for_q() -> None:
    case = Case("v3", SEED, dtype="float8_e4m3fn", heads=6, heads_k=2, descale="q", d=64)
    kwargs = arguments(case)
    assert kwargs["q_descale"].shape == (2, 2)
    check(case)
    doubled = {**kwargs, "q_descale": kwargs["q_descale"] * torch.tensor([1.0, 2.0])}
    before, after = call("v3", kwargs)[1], call("v3", doubled)[1]
    assert torch.equal(before[:, :3], after[:, :3]) and not torch.equal(before[:, 3:], after[:, 3:])


def test_descales_with_strides_and_expanded() -> None:
    kwargs = arguments(Case("v3", SEED, dtype="float8_e4m3fn", descale="qkv"))
    kwargs |= {f"{name}_descale": kwargs[f"{name}_descale"][:1, :1].expand(2, 2) for name in "qkv"}
    dense = {**kwargs, **{f"{name}_descale": kwargs[f"{name}_descale"].contiguous() for name in "qkv"}}
    assert torch.equal(call("v3", kwargs)[0], call("v3", dense)[0])


def test_fp8_output_is_bf16() -> None:
    assert call("v3", arguments(Case("v3", SEED, dtype="float8_e4m3fn")))[0].dtype == torch.bfloat16


def test_descales_are_ignored_unless_fp8() -> None:
    kwargs = arguments(Case("v3", SEED))
    scaled = {**kwargs, "k_descale": torch.full((2, 2), 7.0), "v_descale": torch.full((2, 2), 7.0)}
    assert torch.equal(call("v3", kwargs)[0], call("v3", scaled)[0])


def test_cu_seqlens_k_new_without_k_is_ignored() -> None:
    kwargs = arguments(Case("v3", SEED, seqlen_q=(2, 1), cache_seqlens=(20, 50)))
    expected = call("v3", kwargs)[0]
    new = torch.tensor([0, 5, 9], dtype=torch.int32)
    assert torch.equal(call("v3", {**kwargs, "cu_seqlens_k_new": new})[0], expected)


def test_cache_seqlens_int_with_packed_queries() -> None:
    kwargs = arguments(Case("v3", SEED, batch=3, seqlen_q=(2, 1, 4), cache_seqlens=20))
    expected = call("v3", {**kwargs, "cache_seqlens": torch.full((3,), 20, dtype=torch.int32)})[0]
    assert torch.equal(call("v3", kwargs)[0], expected)


def test_offsets_that_start_beyond_zero() -> None:
    """Absolute while they fit q; vllm-ascend slices q but not its offsets, which then count from the first."""
    kwargs = arguments(Case("v3", SEED, seqlen_q=(3, 2), cache_seqlens=(20, 50), causal=True))
    expected = call("v3", kwargs)[0]
    padded = torch.cat([torch.full_like(kwargs["q"][:4], math.nan), kwargs["q"]])
    absolute = call("v3", {**kwargs, "q": padded, "cu_seqlens_q": kwargs["cu_seqlens_q"] + 4})[0]
    assert torch.equal(absolute[4:], expected)
    sliced = call("v3", {**kwargs, "cu_seqlens_q": kwargs["cu_seqlens_q"] + 4})[0]
    assert torch.equal(sliced, expected)


def test_rows_of_q_beyond_the_last_offset_do_not_matter() -> None:
    kwargs = arguments(Case("v3", SEED, seqlen_q=(3, 2), cache_seqlens=(20, 50), causal=True))
    expected = call("v3", kwargs)
    longer = torch.cat([kwargs["q"], torch.full_like(kwargs["q"], math.nan)])
    result = call("v3", {**kwargs, "q": longer})
    assert torch.equal(result[0][:5], expected[0]) and torch.equal(result[1][:, :5], expected[1])


def test_row_slices_of_a_page_table() -> None:
    """vllm-ascend passes slices of a wider table."""
    kwargs = arguments(Case("v3", SEED, page_size=16, cache_seqlens=(20, 50)))
    expected = call("v3", kwargs)[0]
    wide = torch.full((5, 9), 10**6, dtype=torch.int32)
    wide[1:3, : kwargs["page_table"].shape[1]] = kwargs["page_table"]
    table = wide[1:3, : kwargs["page_table"].shape[1]]
    assert not table.is_contiguous()
    assert torch.equal(call("v3", {**kwargs, "page_table": table})[0], expected)


@pytest.mark.parametrize("hint", [{"pack_gqa": True}, {"pack_gqa": False}, {"sm_margin": 8}])
def test_hints_change_nothing(hint: dict) -> None:
    kwargs = arguments(Case("v3", SEED, seqlen_q=3, heads=8))
    out, lse, *_ = call("v3", {**kwargs, **hint})
    Expected("v3", kwargs).check(out, lse)
