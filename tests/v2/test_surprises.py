# SPDX-License-Identifier: BSD-3-Clause
"""What surprises readers of FlashAttention-2, each with a test of its own, without the reference where possible."""

from __future__ import annotations

import math

import pytest
import torch

from tests.support.call import arguments, call, close, exact, tight
from tests.support.cases import Case
from tests.support.harness import check
from tests.support.seed import SEED

INF = math.inf


@pytest.mark.parametrize("num_splits", [0, 1, 3])
def test_lse_of_a_row_without_keys_is_plus_infinity(num_splits: int) -> None:
    # sq = 5, sk = 2, causal: the first three rows see nothing.
    kwargs = arguments(Case("v2", SEED, seqlen_q=5, cache_seqlens=(2, 0), causal=True, num_splits=num_splits))
    out, lse = call("v2", kwargs)
    assert (lse[0, :, :3] == INF).all() and torch.isfinite(lse[0, :, 3:]).all() and (lse[1] == INF).all()
    assert (out[0, :3] == 0).all() and (out[1] == 0).all()


def test_lse_of_a_call_without_keys_is_plus_infinity() -> None:
    out, lse = call("v2", arguments(Case("v2", SEED, seqlen_q=3, capacity=0)))
    assert (lse == INF).all() and (out == 0).all()


def test_causal_alibi_shifts_the_lse_but_not_out() -> None:
    causal = arguments(Case("v2", SEED, seqlen_q=7, capacity=20, alibi="bh", causal=True, dtype="float32"))
    # A window that is as causal, but takes the other path: left = 19 excludes nothing and is not clipped.
    local = {**causal, "causal": False, "window_size": (19, 0)}
    out, lse = call("v2", causal)
    out_local, lse_local = call("v2", local)
    close(out, out_local, tight(out))
    slope, position = causal["alibi_slopes"].unsqueeze(-1), torch.arange(7) + 13
    close(lse, lse_local + slope * position, 1e-5)


def test_right_window_as_wide_as_the_cache_is_unlimited() -> None:
    # sq = 12 > sk = 4, delta = -8: row 0 stands at position -8 and sees j <= -8 + R.
    case = Case("v2", SEED, seqlen_q=12, capacity=6, cache_seqlens=(4, 4))
    lse = call("v2", arguments(case, window_size=(-1, 5)))[1]
    assert (lse[..., :3] == INF).all() and torch.isfinite(lse[..., 3:]).all()
    lse = call("v2", arguments(case, window_size=(-1, 6)))[1]  # R = capacity: the formula would mask rows 0 and 1
    assert torch.isfinite(lse).all()


def test_unlimited_right_side_of_a_left_window_is_the_capacity() -> None:
    # Row i stands at i - 8 and sees j <= i - 8 + 6 only, although R = -1.
    case = Case("v2", SEED, seqlen_q=12, capacity=6, cache_seqlens=(4, 4))
    lse = call("v2", arguments(case, window_size=(5, -1)))[1]
    assert (lse[..., :2] == INF).all() and torch.isfinite(lse[..., 2:]).all()


def test_left_window_as_wide_as_the_cache_with_rows_before_the_keys() -> None:
    case = Case("v2", SEED, seqlen_q=12, capacity=6, cache_seqlens=(4, 4))
    assert torch.isfinite(call("v2", arguments(case, window_size=(6, -1)))[1]).all()  # both sides unlimited
    check(Case("v2", SEED, seqlen_q=12, capacity=6, cache_seqlens=(4, 4), window=(6, 2)))


def test_cache_seqlens_include_the_left_padding() -> None:
    case = Case("v2", SEED, cache_seqlens=(20, 50), leftpad=(8, 0), seqlen_q=3, causal=True)
    padded = arguments(case)
    out, lse = call("v2", padded)
    # The same keys moved to the front, 12 of them.
    plain = arguments(case, cache_leftpad=None, cache_seqlens=torch.tensor([12, 50], dtype=torch.int32))
    for name in ("k_cache", "v_cache"):
        moved = padded[name].clone()
        moved[0, :12] = padded[name][0, 8:20]
        plain[name] = moved
    out_plain, lse_plain = call("v2", plain)
    close(out, out_plain)
    close(lse, lse_plain)


def test_rotary_positions_are_absolute_although_keys_are_padded() -> None:
    case = Case(
        "v2", SEED, cache_seqlens=(20, 50), leftpad=(8, 0), seqlen_q=2, seqlen_new=2, rotary_dim=32, causal=True
    )
    check(case)
    kwargs = arguments(case)
    new = kwargs["k"][0, 0].float()
    call("v2", kwargs)
    cos, sin = kwargs["rotary_cos"][20].float(), kwargs["rotary_sin"][20].float()  # 20, not 20 - 8
    expected = torch.stack(
        [new[:, 0::2] * cos - new[:, 1::2] * sin, new[:, 0::2] * sin + new[:, 1::2] * cos], dim=-1
    ).flatten(1)
    close(kwargs["k_cache"][0, 20], expected)


@pytest.mark.parametrize(
    ("causal", "window", "per_row"),
    [
        (False, (-1, -1), False),
        (True, (-1, -1), True),
        (False, (63, -1), True),
        (False, (-1, 63), True),
        (False, (64, 64), False),  # as wide as the cache: not local
        (False, (64, -1), False),
        (True, (64, -1), True),
        (False, (-1, 0), True),
    ],
)
def test_q_rotates_by_its_row_only_if_causal_or_local(causal: bool, window: tuple[int, int], per_row: bool) -> None:
    case = Case("v2", SEED, cache_seqlens=20, seqlen_q=3, seqlen_new=3, rotary_dim=32, causal=causal, window=window)
    kwargs = arguments(case, q=arguments(case)["q"][:, :1].repeat(1, 3, 1, 1))  # three equal rows
    # One position for all rows and no mask: equal results. Windows of 63 mask nothing here either.
    out = call("v2", kwargs)[0]
    expected = exact("v2", arguments(case, q=kwargs["q"])).out
    close(out, expected)
    if not causal and window != (-1, 0):
        assert torch.equal(out[:, 0], out[:, 1]) is not per_row


def test_rotary_is_interleaved_by_default() -> None:
    case = Case("v2", SEED, cache_seqlens=20, seqlen_new=1, rotary_dim=16, causal=True)
    default, interleaved, neox = (arguments(case) for _ in range(3))
    call("v2", default)
    call("v2", {**interleaved, "rotary_interleaved": True})
    call("v2", {**neox, "rotary_interleaved": False})
    new = slice(20, 21)
    assert torch.equal(default["k_cache"][:, new], interleaved["k_cache"][:, new])
    assert not torch.equal(default["k_cache"][:, new], neox["k_cache"][:, new])


def test_odd_head_dims_scale_by_the_real_head_dim() -> None:
    kwargs = arguments(Case("v2", SEED, d=35))
    out = call("v2", kwargs)[0]
    assert out.shape[-1] == 35
    assert torch.equal(out, call("v2", {**kwargs, "softmax_scale": 35**-0.5})[0])


def test_block_table_with_cache_batch_idx_or_leftpad_is_refused() -> None:
    kwargs = arguments(Case("v2", SEED, page_size=256, capacity=256, cache_seqlens=(3, 9)))
    for name in ("cache_batch_idx", "cache_leftpad"):
        with pytest.raises(ValueError, match=name):
            call("v2", {**kwargs, name: torch.zeros(2, dtype=torch.int32)})


def test_batch_zero_is_refused() -> None:
    kwargs = arguments(Case("v2", SEED))
    with pytest.raises(ValueError, match="q: got shape"):
        call("v2", {**kwargs, "q": kwargs["q"][:0]})


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
    kwargs = arguments(Case("v2", SEED, seqlen_q=9, window=(4, 2)))
    expected = call("v2", kwargs)[0]
    assert torch.equal(call("v2", {**kwargs, "window_size": window})[0], expected)


def test_window_minus_one_zero_is_causal() -> None:
    kwargs = arguments(Case("v2", SEED, seqlen_q=9))
    causal, window = call("v2", {**kwargs, "causal": True}), call("v2", {**kwargs, "window_size": (-1, 0)})
    assert torch.equal(causal[0], window[0]) and torch.equal(causal[1], window[1])


def test_softcap_zero_or_negative_is_off() -> None:
    kwargs = arguments(Case("v2", SEED))
    expected = call("v2", kwargs)[0]
    for softcap in (0.0, -1.0):
        assert torch.equal(call("v2", {**kwargs, "softcap": softcap})[0], expected)


def test_cache_may_hold_more_sequences_than_the_batch() -> None:
    kwargs = arguments(Case("v2", SEED, batch=3))
    expected = call("v2", kwargs)[0][:2]
    assert torch.equal(call("v2", {**kwargs, "q": kwargs["q"][:2]})[0], expected)


def test_cache_seqlens_are_not_advanced() -> None:
    kwargs = arguments(Case("v2", SEED, cache_seqlens=(3, 9), seqlen_new=2, seqlen_q=2))
    call("v2", kwargs)
    assert kwargs["cache_seqlens"].tolist() == [3, 9]


def test_more_new_keys_than_queries_and_the_reverse() -> None:
    for sq, new in ((1, 7), (7, 1)):
        check(Case("v2", SEED, cache_seqlens=(3, 9), seqlen_new=new, seqlen_q=sq, causal=True))


def test_inputs_with_a_strided_last_dimension_are_copied_but_caches_refused() -> None:
    kwargs = arguments(Case("v2", SEED, cache_seqlens=(3, 9), seqlen_new=2, seqlen_q=2))
    expected = call("v2", {**kwargs, "k_cache": kwargs["k_cache"].clone(), "v_cache": kwargs["v_cache"].clone()})[0]
    strided = {name: torch.stack([kwargs[name]] * 2, dim=-1)[..., 0] for name in ("q", "k", "v")}
    assert torch.equal(call("v2", {**kwargs, **strided})[0], expected)
