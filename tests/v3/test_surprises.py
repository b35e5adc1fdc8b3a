# SPDX-License-Identifier: BSD-3-Clause
"""What surprises readers of FlashAttention-3, each with a test of its own, without the reference where possible."""

from __future__ import annotations

import math

import pytest
import torch

from tests.support.call import arguments, call, close, exact, tight
from tests.support.cases import Case
from tests.support.harness import bit_equal, check
from tests.support.seed import SEED

INF = math.inf


@pytest.mark.parametrize("num_splits", [0, 1, 3])
def test_lse_of_a_row_without_keys_is_minus_infinity(num_splits: int) -> None:
    # sq = 5, sk = 2, causal: the first three rows see nothing.
    kwargs = arguments(Case("v3", SEED, seqlen_q=5, cache_seqlens=(2, 0), causal=True, num_splits=num_splits))
    out, lse, *_ = call("v3", kwargs)
    assert (lse[0, :, :3] == -INF).all() and torch.isfinite(lse[0, :, 3:]).all() and (lse[1] == -INF).all()
    assert (out[0, :3] == 0).all() and (out[1] == 0).all()


def test_lse_of_a_call_without_keys_is_plus_infinity() -> None:
    out, lse, *_ = call("v3", arguments(Case("v3", SEED, seqlen_q=3, capacity=0)))
    assert (lse == INF).all() and (out == 0).all()


def test_window_is_exact_with_more_queries_than_keys() -> None:
    # sq = 12 > sk = 4, delta = -8: row 0 stands at position -8 and sees j <= -8 + R. In v2, R = 6 would be unlimited.
    case = Case("v3", SEED, seqlen_q=12, capacity=6, cache_seqlens=(4, 4))
    for right, masked in ((5, 3), (6, 2), (8, 0), (11, 0)):
        lse = call("v3", arguments(case, window_size=(-1, right)))[1]
        assert (lse[..., :masked] == -INF).all() and torch.isfinite(lse[..., masked:]).all()
    assert torch.isfinite(call("v3", arguments(case, window_size=(5, -1)))[1]).all()


def test_cache_seqlens_include_the_left_padding() -> None:
    case = Case("v3", SEED, cache_seqlens=(20, 50), leftpad=(8, 0), seqlen_q=3, causal=True)
    padded = arguments(case)
    out, lse, *_ = call("v3", padded)
    plain = arguments(case, cache_leftpad=None, cache_seqlens=torch.tensor([12, 50], dtype=torch.int32))
    for name in ("k_cache", "v_cache"):
        moved = padded[name].clone()
        moved[0, :12] = padded[name][0, 8:20]
        plain[name] = moved
    out_plain, lse_plain, *_ = call("v3", plain)
    close(out, out_plain)
    close(lse, lse_plain)


def test_rotary_positions_are_absolute_although_keys_are_padded() -> None:
    case = Case(
        "v3", SEED, cache_seqlens=(20, 50), leftpad=(8, 0), seqlen_q=2, seqlen_new=2, rotary_dim=32, causal=True
    )
    check(case)
    kwargs = arguments(case)
    new = kwargs["k"][0, 0].float()
    call("v3", kwargs)
    cos, sin = kwargs["rotary_cos"][20].float(), kwargs["rotary_sin"][20].float()  # 20, not 20 - 8
    expected = torch.stack(
        [new[:, 0::2] * cos - new[:, 1::2] * sin, new[:, 0::2] * sin + new[:, 1::2] * cos], dim=-1
    ).flatten(1)
    close(kwargs["k_cache"][0, 20], expected)


@pytest.mark.parametrize(
    ("causal", "window", "chunk", "per_row"),
    [
        (False, (-1, -1), 0, False),
        (True, (-1, -1), 0, True),
        (False, (62, -1), 0, True),
        (False, (63, -1), 0, False),  # left >= capacity - 1: not local
        (False, (-1, 1), 0, True),
        (False, (-1, 2), 0, False),  # right >= seqlen_q - 1: not local
        (False, (-1, -1), 1000, True),  # a chunk counts as local, however large
        (True, (63, -1), 0, True),
    ],
)
def test_q_rotates_by_its_row_only_if_causal_or_local(
    causal: bool, window: tuple[int, int], chunk: int, per_row: bool
) -> None:
    case = Case(
        "v3",
        SEED,
        cache_seqlens=20,
        seqlen_q=3,
        seqlen_new=3,
        rotary_dim=32,
        causal=causal,
        window=window,
        attention_chunk=chunk,
    )
    kwargs = arguments(case, q=arguments(case)["q"][:, :1].repeat(1, 3, 1, 1))  # three equal rows
    out = call("v3", kwargs)[0]
    close(out, exact("v3", arguments(case, q=kwargs["q"])).out)
    if not causal and window[1] == -1:  # nothing is masked
        assert torch.equal(out[:, 0], out[:, 1]) is not per_row


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


def test_rotary_is_interleaved_by_default() -> None:
    case = Case("v3", SEED, cache_seqlens=20, seqlen_new=1, rotary_dim=16, causal=True)
    default, interleaved, neox = (arguments(case) for _ in range(3))
    call("v3", default)
    call("v3", {**interleaved, "rotary_interleaved": True})
    call("v3", {**neox, "rotary_interleaved": False})
    new = slice(20, 21)
    assert torch.equal(default["k_cache"][:, new], interleaved["k_cache"][:, new])
    assert not torch.equal(default["k_cache"][:, new], neox["k_cache"][:, new])


def test_rotary_seqlens_replace_cache_seqlens_as_position() -> None:
    case = Case("v3", SEED, cache_seqlens=(20, 30), seqlen_new=1, rotary_dim=16, causal=True)
    moved = arguments(case, rotary_seqlens=torch.tensor([30, 20], dtype=torch.int32))
    table = arguments(case)
    rows = torch.arange(table["rotary_cos"].shape[0])
    rows[[20, 30]] = rows[[30, 20]]
    table |= {name: table[name][rows] for name in ("rotary_cos", "rotary_sin")}
    assert torch.equal(call("v3", moved)[0], call("v3", table)[0])
    assert bit_equal(moved["k_cache"], table["k_cache"])


def test_four_values_and_partials_that_combine() -> None:
    kwargs = arguments(Case("v3", SEED, seqlen_q=5, capacity=200, cache_seqlens=(200, 77), dtype="float32"))
    out, lse, out_accum, lse_accum = call("v3", {**kwargs, "num_splits": 3})
    if out_accum.numel() == 0:
        assert lse_accum.numel() == 0
        return
    assert out_accum.shape == (3, 2, 4, 5, 32) and lse_accum.shape == (3, 2, 4, 5)
    close(torch.logsumexp(lse_accum, 0), lse, 1e-5)
    weight = torch.exp(lse_accum - lse).unsqueeze(-1)
    close((out_accum * weight).sum(0).transpose(1, 2), out, tight(out))


def test_partials_of_packed_queries() -> None:
    kwargs = arguments(Case("v3", SEED, seqlen_q=(5, 2), capacity=200, cache_seqlens=(200, 77), dtype="float32"))
    out, lse, out_accum, lse_accum = call("v3", {**kwargs, "num_splits": 4})
    if out_accum.numel() == 0:
        assert lse_accum.numel() == 0
        return
    assert out_accum.shape == (4, 4, 7, 32) and lse_accum.shape == (4, 4, 7)
    close(torch.logsumexp(lse_accum, 0), lse, 1e-5)
    weight = torch.exp(lse_accum - lse).unsqueeze(-1)
    close((out_accum * weight).sum(0).transpose(0, 1), out, tight(out))


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


@pytest.mark.parametrize(
    "window",
    [
        [4, 2],
        torch.tensor([4, 2]),
        (torch.tensor(4), torch.tensor(2)),
        [torch.tensor(4, dtype=torch.int32), 2],
    ],
    ids=["list", "tensor", "0-dim tensors", "mixed"],
)
def test_window_size_of_every_kind(window: object) -> None:
    kwargs = arguments(Case("v3", SEED, seqlen_q=9, window=(4, 2)))
    expected = call("v3", kwargs)[0]
    assert torch.equal(call("v3", {**kwargs, "window_size": window})[0], expected)


@pytest.mark.parametrize("bound", [5, 10**6, torch.tensor(5), torch.tensor(4096), torch.tensor(5, dtype=torch.int32)])
def test_max_seqlen_q_may_be_a_tensor_and_far_too_large(bound: object) -> None:
    kwargs = arguments(Case("v3", SEED, seqlen_q=(5, 2), page_size=16, causal=True))
    expected = call("v3", {**kwargs, "max_seqlen_q": 5})
    result = call("v3", {**kwargs, "max_seqlen_q": bound})
    assert torch.equal(result[0], expected[0]) and torch.equal(result[1], expected[1])


def test_large_max_seqlen_q_when_appending() -> None:
    """vllm-ascend passes the longest *key* length."""
    kwargs = arguments(Case("v3", SEED, seqlen_q=(5, 2), seqlen_new=(5, 2), cache_seqlens=(20, 50), causal=True))
    expected = call("v3", {name: x.clone() if isinstance(x, torch.Tensor) else x for name, x in kwargs.items()})[0]
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
    close(call("v3", {**kwargs, **hint})[0], call("v3", kwargs)[0])
