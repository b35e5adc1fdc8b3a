# SPDX-License-Identifier: BSD-3-Clause
"""What surprises readers of FlashAttention, each with a test of its own, without the reference where possible.

Here is what both versions have, and what only version 2 has; test_surprises_v3.py has the rest.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
import torch

from tests.support.apis import only, per_api
from tests.support.call import arguments, call
from tests.support.cases import Case
from tests.support.harness import Expected, check
from tests.support.reference import rotate, rotation_tolerance
from tests.support.seed import SEED

INF = math.inf
LSE_WITHOUT_KEYS = {"v2": INF, "v3": -INF}
Window = tuple[int, int]


@pytest.mark.parametrize("num_splits", [0, 1, 3])
def test_lse_of_a_row_without_keys(api: str, num_splits: int) -> None:
    """+inf in v2, -inf in v3."""
    # sq = 5, sk = 2, causal: the first three rows see nothing.
    kwargs = arguments(Case(api, SEED, seqlen_q=5, cache_seqlens=(2, 0), causal=True, num_splits=num_splits))
    out, lse, *_ = call(api, kwargs)
    nothing = LSE_WITHOUT_KEYS[api]
    assert (lse[0, :, :3] == nothing).all() and torch.isfinite(lse[0, :, 3:]).all() and (lse[1] == nothing).all()
    assert (out[0, :3] == 0).all() and (out[1] == 0).all()


def test_lse_of_a_call_without_keys_is_plus_infinity(api: str) -> None:
    out, lse, *_ = call(api, arguments(Case(api, SEED, seqlen_q=3, capacity=0)))
    assert (lse == INF).all() and (out == 0).all()


def test_cache_seqlens_include_the_left_padding(api: str) -> None:
    case = Case(api, SEED, cache_seqlens=(20, 50), leftpad=(8, 0), seqlen_q=3, causal=True)
    padded = arguments(case)
    out, lse, *_ = call(api, padded)
    # The same keys moved to the front, 12 of them.
    plain = arguments(case, cache_leftpad=None, cache_seqlens=torch.tensor([12, 50], dtype=torch.int32))
    for name in ("k_cache", "v_cache"):
        moved = padded[name].clone()
        moved[0, :12] = padded[name][0, 8:20]
        plain[name] = moved
    expected = Expected(api, plain)
    expected.check(out, lse)
    out_plain, lse_plain, *_ = call(api, plain)
    expected.check(out_plain, lse_plain)


def test_rotary_positions_are_absolute_although_keys_are_padded(api: str) -> None:
    case = Case(api, SEED, cache_seqlens=(20, 50), leftpad=(8, 0), seqlen_q=2, seqlen_new=2, rotary_dim=32, causal=True)
    check(case)
    kwargs = arguments(case)
    new = kwargs["k"][0, :1].double()
    call(api, kwargs)
    cos, sin = (kwargs[name][20:21].double() for name in ("rotary_cos", "rotary_sin"))  # 20, not 20 - 8
    rotated, terms = rotate(new, cos, sin, interleaved=True)
    error = (kwargs["k_cache"][0, 20].double() - rotated[0]).abs()
    assert (error <= rotation_tolerance(rotated, terms, kwargs["k"].dtype)[0]).all()


# (causal, window, attention_chunk) and whether queries rotate by their rows then.
ROTATIONS = {
    "v2": [
        ((False, (-1, -1), 0), False),
        ((True, (-1, -1), 0), True),
        ((False, (63, -1), 0), True),
        ((False, (-1, 63), 0), True),
        ((False, (64, 64), 0), False),  # as wide as the cache: not local
        ((False, (64, -1), 0), False),
        ((True, (64, -1), 0), True),
        ((False, (-1, 0), 0), True),
    ],
    "v3": [
        ((False, (-1, -1), 0), False),
        ((True, (-1, -1), 0), True),
        ((False, (62, -1), 0), True),
        ((False, (63, -1), 0), False),  # left >= capacity - 1: not local
        ((False, (-1, 1), 0), True),
        ((False, (-1, 2), 0), False),  # right >= seqlen_q - 1: not local
        ((False, (-1, -1), 1000), True),  # a chunk counts as local, however large
        ((True, (63, -1), 0), True),
    ],
}


def rotations(api: str) -> Iterator[tuple[str, tuple[tuple[bool, Window, int], bool]]]:
    return ((str(n), row) for n, row in enumerate(ROTATIONS[api]))


@per_api("row", rotations)
def test_q_rotates_by_its_row_only_if_causal_or_local(api: str, row: tuple[tuple[bool, Window, int], bool]) -> None:
    (causal, window, chunk), by_row = row
    case = Case(
        api,
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
    expected = Expected(api, kwargs)
    out, lse, *_ = call(api, kwargs)
    expected.check(out, lse)
    # One position for all rows and no mask: equal results. A right side of 63 masks nothing here either.
    if not causal and window[1] in (-1, 63, 64):
        assert torch.equal(out[:, 0], out[:, 1]) is not by_row


def test_rotary_is_interleaved_by_default(api: str) -> None:
    case = Case(api, SEED, cache_seqlens=20, seqlen_new=1, rotary_dim=16, causal=True)
    default, interleaved, neox = (arguments(case) for _ in range(3))
    call(api, default)
    call(api, {**interleaved, "rotary_interleaved": True})
    call(api, {**neox, "rotary_interleaved": False})
    new = slice(20, 21)
    assert torch.equal(default["k_cache"][:, new], interleaved["k_cache"][:, new])
    assert not torch.equal(default["k_cache"][:, new], neox["k_cache"][:, new])


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
def test_window_size_of_every_kind(api: str, window: object) -> None:
    kwargs = arguments(Case(api, SEED, seqlen_q=9, window=(4, 2)))
    expected = call(api, kwargs)[0]
    assert torch.equal(call(api, {**kwargs, "window_size": window})[0], expected)


@only("v2")
def test_causal_alibi_shifts_the_lse_but_not_out(api: str) -> None:
    causal = arguments(Case(api, SEED, seqlen_q=7, capacity=20, alibi="bh", causal=True, dtype="float32"))
    # A window that is as causal, but takes the other path: left = 19 excludes nothing and is not clipped.
    local = {**causal, "causal": False, "window_size": (19, 0)}
    expected = Expected(api, local)
    expected.check(*call(api, local))
    slope, position = causal["alibi_slopes"].double().unsqueeze(-1), torch.arange(7) + 13
    expected.exact.lse += slope * position
    expected.check(*call(api, causal))


@only("v2")
def test_right_window_as_wide_as_the_cache_is_unlimited(api: str) -> None:
    # sq = 12 > sk = 4, delta = -8: row 0 stands at position -8 and sees j <= -8 + R.
    case = Case(api, SEED, seqlen_q=12, capacity=6, cache_seqlens=(4, 4))
    lse = call(api, arguments(case, window_size=(-1, 5)))[1]
    assert (lse[..., :3] == INF).all() and torch.isfinite(lse[..., 3:]).all()
    lse = call(api, arguments(case, window_size=(-1, 6)))[1]  # R = capacity: the formula would mask rows 0 and 1
    assert torch.isfinite(lse).all()


@only("v2")
def test_unlimited_right_side_of_a_left_window_is_the_capacity(api: str) -> None:
    # Row i stands at i - 8 and sees j <= i - 8 + 6 only, although R = -1.
    case = Case(api, SEED, seqlen_q=12, capacity=6, cache_seqlens=(4, 4))
    lse = call(api, arguments(case, window_size=(5, -1)))[1]
    assert (lse[..., :2] == INF).all() and torch.isfinite(lse[..., 2:]).all()


@only("v2")
def test_left_window_as_wide_as_the_cache_with_rows_before_the_keys(api: str) -> None:
    case = Case(api, SEED, seqlen_q=12, capacity=6, cache_seqlens=(4, 4))
    assert torch.isfinite(call(api, arguments(case, window_size=(6, -1)))[1]).all()  # both sides unlimited
    check(Case(api, SEED, seqlen_q=12, capacity=6, cache_seqlens=(4, 4), window=(6, 2)))


def test_odd_head_dims_scale_by_the_real_head_dim(api: str) -> None:
    kwargs = arguments(Case(api, SEED, d=35))
    out = call(api, kwargs)[0]
    assert out.shape[-1] == 35
    assert torch.equal(out, call(api, {**kwargs, "softmax_scale": 35**-0.5})[0])


@only("v2")
def test_block_table_with_cache_batch_idx_or_leftpad_is_refused(api: str) -> None:
    kwargs = arguments(Case(api, SEED, page_size=256, capacity=256, cache_seqlens=(3, 9)))
    for name in ("cache_batch_idx", "cache_leftpad"):
        with pytest.raises(ValueError, match=name):
            call(api, {**kwargs, name: torch.zeros(2, dtype=torch.int32)})


@only("v2")
def test_batch_zero_is_refused(api: str) -> None:
    kwargs = arguments(Case(api, SEED))
    with pytest.raises(ValueError, match="q: got shape"):
        call(api, {**kwargs, "q": kwargs["q"][:0]})


def test_window_minus_one_zero_is_causal(api: str) -> None:
    kwargs = arguments(Case(api, SEED, seqlen_q=9))
    causal, window = call(api, {**kwargs, "causal": True}), call(api, {**kwargs, "window_size": (-1, 0)})
    assert torch.equal(causal[0], window[0]) and torch.equal(causal[1], window[1])


def test_softcap_zero_or_negative_is_off(api: str) -> None:
    kwargs = arguments(Case(api, SEED))
    expected = call(api, kwargs)[0]
    for softcap in (0.0, -1.0):
        assert torch.equal(call(api, {**kwargs, "softcap": softcap})[0], expected)


@only("v2")
def test_cache_may_hold_more_sequences_than_the_batch(api: str) -> None:
    kwargs = arguments(Case(api, SEED, batch=3))
    expected = call(api, kwargs)[0][:2]
    assert torch.equal(call(api, {**kwargs, "q": kwargs["q"][:2]})[0], expected)


def test_cache_seqlens_are_not_advanced(api: str) -> None:
    kwargs = arguments(Case(api, SEED, cache_seqlens=(3, 9), seqlen_new=2, seqlen_q=2))
    call(api, kwargs)
    assert kwargs["cache_seqlens"].tolist() == [3, 9]


def test_more_new_keys_than_queries_and_the_reverse(api: str) -> None:
    for sq, new in ((1, 7), (7, 1)):
        check(Case(api, SEED, cache_seqlens=(3, 9), seqlen_new=new, seqlen_q=sq, causal=True))


def test_inputs_with_a_strided_last_dimension_are_copied_but_caches_refused(api: str) -> None:
    kwargs = arguments(Case(api, SEED, cache_seqlens=(3, 9), seqlen_new=2, seqlen_q=2))
    expected = call(api, {**kwargs, "k_cache": kwargs["k_cache"].clone(), "v_cache": kwargs["v_cache"].clone()})[0]
    strided = {name: torch.stack([kwargs[name]] * 2, dim=-1)[..., 0] for name in ("q", "k", "v")}
    assert torch.equal(call(api, {**kwargs, **strided})[0], expected)
