# SPDX-License-Identifier: BSD-3-Clause
"""Runs a `Case` through an API and judges everything it returned and everything it wrote.

The rules:
- out: max |out - exact| <= 2 * max |same-dtype PyTorch formula - exact| + 1e-5. On small tensors, where the formula's
  largest error may be lucky, three standard deviations of what rounding out, and rotated q and k, may do are added.
  fp32 arithmetic is allowed four units in the last place of the largest logit on top.
- lse: within fp32 arithmetic of the exact one, plus what rounding a rotated q and k may cost; infinities exactly.
- caches: every byte that was not appended is unchanged, appended values are bit-identical, rotated keys are within one
  unit in the last place. No other input changes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tests.support import backend
from tests.support.cases import Built, Case, build
from tests.support.reference import Precision, Result, attention_with_kvcache, ulp

# Largest error of the LSE that arithmetic may cause, per input dtype: absolute, and relative to the largest |logit|.
LSE_TOLERANCE = {
    torch.float32: (1e-5, 2e-6),
    torch.float16: (2e-4, 4e-6),
    torch.bfloat16: (1e-3, 4e-6),
    torch.float8_e4m3fn: (1e-3, 4e-6),
}
# Below so many elements of out, or rows that mix values, the formula's largest error is a matter of luck.
SMALL, FEW_ROWS = 4096, 128

CallFunction = Callable[[str, dict[str, Any]], Any]


@dataclass
class Outcome:
    result: Any  # what the API returned
    out: Tensor
    lse: Tensor | None
    built: Built  # the inputs after the call


def bits(x: Tensor) -> Tensor:
    return x.contiguous().view({1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}[x.element_size()])


def bit_equal(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and a.dtype == b.dtype and torch.equal(bits(a), bits(b))


def check(case: Case, call: CallFunction | None = None) -> Outcome:
    """Builds, calls, compares. Raises AssertionError with the figures and the snippet."""
    return check_built(build(backend.current().adapted(case)), call)


def check_built(built: Built, call: CallFunction | None = None) -> Outcome:
    before = built.clone()
    try:
        result = (call or backend.current().call)(built.case.api, built.kwargs)
    except Exception as error:
        raise AssertionError(f"{type(error).__name__}: {error}\n{describe(before)}") from error
    try:
        return compare(before, built, result, None if call else peer_result(before))
    except AssertionError as error:
        raise AssertionError(f"{error}\n{describe(before)}") from None


def peer_result(before: Built) -> Any:
    """What the backend that this one is compared with returns; None if there is none."""
    peer = backend.current().compared_with
    return backend.BACKENDS[peer].call(before.case.api, before.clone().kwargs) if peer else None


def describe(built: Built) -> str:
    def one(x: Any) -> str:
        if not isinstance(x, Tensor):
            return repr(x)
        text = f"{backend.dtype_name(x.dtype)} {tuple(x.shape)}"
        text += "" if x.is_contiguous() else f" strides {x.stride()}"
        return text if x.numel() > 40 or x.is_floating_point() else f"{text} {x.tolist()}"

    arguments = "\n".join(f"    {name} = {one(x)}" for name, x in built.kwargs.items())
    return f"--- arguments\n{arguments}\n--- to repeat\n{built.case.snippet()}"


@contextmanager
def one_thread() -> Iterator[None]:
    """For the reference: several threads for many small operations only wait for each other on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def compare(before: Built, after: Built, result: Any, peer: Any = None) -> Outcome:
    """`peer`: another backend's result of the same call, which must agree within the accuracy rule."""
    with one_thread():
        return _compare(before, after, result, peer)


def _compare(before: Built, after: Built, result: Any, peer: Any) -> Outcome:
    case = before.case
    exact = attention_with_kvcache(case.api, before.kwargs, Precision.EXACT)
    formula = attention_with_kvcache(case.api, before.kwargs, Precision.SAME_DTYPE)

    out, lse = result, None
    if case.return_softmax_lse:
        expected_values = 2 if case.api == "v2" else 4
        assert isinstance(result, tuple), f"return_softmax_lse=True returned a {type(result).__name__}"
        assert len(result) == expected_values, f"{len(result)} values returned, expected {expected_values}"
        out, lse = result[0], result[1]
    else:
        assert isinstance(result, Tensor), f"return_softmax_lse=False returned a {type(result).__name__}"

    allowed = allowed_error(exact, formula, case)
    compare_out(out, exact, formula, case, allowed)
    if lse is not None:
        compare_lse(lse, exact, case)
    if peer is not None:
        compare_with_peer(out, peer[0] if isinstance(peer, tuple) else peer, exact, allowed, out_dtype(case))
    compare_memory(before, after, exact)
    return Outcome(result, out, lse, after)


def out_dtype(case: Case) -> torch.dtype:
    return torch.bfloat16 if case.torch_dtype == torch.float8_e4m3fn else case.torch_dtype


def allowed_error(exact: Result, formula: Result, case: Case) -> Tensor:
    """How far each written value of out may be off: the first rule at the top of this file."""
    dtype = case.torch_dtype
    truth = exact.out[exact.written]
    if truth.numel() == 0:
        return truth
    formula_error = float((formula.out[exact.written] - truth).abs().max())
    allowed = torch.full_like(truth, 2 * formula_error + 1e-5)
    if dtype == torch.float32:
        allowed += 4 * float(ulp(torch.tensor(exact.max_logit, dtype=torch.float64), dtype))
    # Half scores err like the formula, not less: twice its largest error then takes a call in which that is typical.
    if truth.numel() < SMALL or exact.mixed_rows < FEW_ROWS or backend.current().half_scores_anywhere:
        allowed += ulp(truth, out_dtype(case)) / 2
        if case.rotary_dim:
            # Two factors rounded to half an eps each: a standard deviation of 0.41 eps per product.
            allowed += 3 * 0.41 * torch.finfo(dtype).eps * exact.product_spread[exact.written]
    return allowed


def compare_out(out: Tensor, exact: Result, formula: Result, case: Case, allowed: Tensor) -> None:
    assert out.dtype == out_dtype(case), f"out has dtype {out.dtype}, expected {out_dtype(case)}"
    assert out.shape == exact.out.shape, f"out has shape {tuple(out.shape)}, expected {tuple(exact.out.shape)}"
    ours, truth = out[exact.written].double(), exact.out[exact.written]
    if truth.numel() == 0:
        return
    assert torch.isfinite(ours).all(), f"out: {int((~torch.isfinite(ours)).sum())} of {ours.numel()} values not finite"
    error = (ours - truth).abs()
    if (error > allowed).any():
        formula_error = float((formula.out[exact.written] - truth).abs().max())
        worst = int((error - allowed).argmax())
        index = [int(i) for i in torch.unravel_index(torch.tensor(worst), truth.shape)]
        raise AssertionError(
            f"out: error {float(error.flatten()[worst]):.3e} > allowed {float(allowed.flatten()[worst]):.3e} "
            f"(same-dtype formula: {formula_error:.3e}); {int((error > allowed).sum())} of {truth.numel()} wrong; "
            f"worst at [row, head, feature] = {index}: got {float(ours.flatten()[worst]):.6g}, "
            f"expected {float(truth.flatten()[worst]):.6g}"
        )


def compare_with_peer(out: Tensor, peer: Tensor, exact: Result, allowed: Tensor, dtype: torch.dtype) -> None:
    ours, theirs = out[exact.written].double(), peer[exact.written].double()
    allowed = allowed + ulp(theirs, dtype) / 2  # `allowed` is about the exact result, which the peer has rounded
    difference = (ours - theirs).abs()
    if (difference > allowed).any():
        worst = int((difference - allowed).argmax())
        raise AssertionError(
            f"out: {float(difference.flatten()[worst]):.3e} from backend {backend.current().compared_with}, allowed "
            f"{float(allowed.flatten()[worst]):.3e}; {int((difference > allowed).sum())} of {difference.numel()} differ"
        )


def compare_lse(lse: Tensor, exact: Result, case: Case) -> None:
    assert lse.dtype == torch.float32, f"softmax_lse has dtype {lse.dtype}, expected torch.float32"
    assert lse.shape == exact.lse.shape, f"softmax_lse: shape {tuple(lse.shape)}, expected {tuple(exact.lse.shape)}"
    written = exact.written.unsqueeze(-2).expand(exact.lse.shape)
    ours, truth = lse.double()[written], exact.lse[written]
    infinite = torch.isinf(truth) | torch.isinf(ours) | torch.isnan(ours)
    wrong = infinite & (ours != truth)
    assert not wrong.any(), (
        f"softmax_lse: {int(wrong.sum())} of {truth.numel()} wrong among infinite or NaN values: "
        f"got {ours[wrong][0]}, expected {truth[wrong][0]}"
    )
    ours, truth = ours[~infinite], truth[~infinite]
    if truth.numel() == 0:
        return
    absolute, relative = LSE_TOLERANCE[case.torch_dtype]
    # Each product of a logit is off by at most eps; the errors of many add up like a random walk, five sigma of it.
    rounding = 2 * torch.finfo(case.torch_dtype).eps * exact.max_product_norm if case.rotary_dim else 0.0
    largest = max(exact.max_logit, float(truth.abs().max()))
    half_score_rows = backend.current().half_score_rows
    if half_score_rows and max(case.seqlens_q, default=0) * case.heads // case.heads_k >= half_score_rows:
        relative += torch.finfo(torch.float16).eps / 2  # a rounded score: one key may have all the weight
    allowed = absolute + relative * largest + rounding
    error = (ours - truth).abs()
    worst = int(error.argmax())
    assert error[worst] <= allowed, (
        f"softmax_lse: error {float(error[worst]):.3e} > allowed {allowed:.3e} (rounding of rotated q and k: "
        f"{rounding:.3e}, largest logit {exact.max_logit:.3g}); "
        f"{int((error > allowed).sum())} of {truth.numel()} wrong; "
        f"got {float(ours[worst])}, expected {float(truth[worst])}"
    )


def compare_memory(before: Built, after: Built, exact: Result) -> None:
    for name, base in before.bases.items():
        now = after.bases[name]
        if name not in ("k_cache", "v_cache"):
            assert bit_equal(base, now), f"{name} was modified"
            continue
        view, now_view = before.kwargs[name], after.kwargs[name]
        expected = exact.k_cache if name == "k_cache" else exact.v_cache
        inside = torch.zeros(base.shape, dtype=torch.bool)
        inside.as_strided(view.shape, view.stride(), view.storage_offset()).fill_(True)
        touched = (bits(base) != bits(now)) & ~inside
        assert not touched.any(), f"{name}: {int(touched.sum())} elements outside the view were modified"
        wrong = bits(expected) != bits(now_view)
        if name == "k_cache":
            rotated = exact.k_tol > 0
            error = (now_view.double() - exact.k_exact).abs()
            wrong &= ~(rotated & (error <= exact.k_tol))
        if wrong.any():
            first = [int(i) for i in wrong.nonzero()[0]]
            at = tuple(first)
            raise AssertionError(
                f"{name}: {int(wrong.sum())} wrong elements after the call; first at {first}: "
                f"got {float(now_view[at]):.6g}, expected {float(expected[at]):.6g}, was {float(view[at]):.6g}"
                + (f", allowed error {float(exact.k_tol[at]):.2e}" if name == "k_cache" else "")
            )


def same_result(a: Outcome, b: Outcome) -> None:
    """Bit-equal outputs and caches."""
    assert bit_equal(a.out, b.out), f"out differs, by up to {max_difference(a.out, b.out):.3e}"
    if a.lse is not None and b.lse is not None:
        assert bit_equal(a.lse, b.lse), f"softmax_lse differs, by up to {max_difference(a.lse, b.lse):.3e}"
    for name in ("k_cache", "v_cache"):
        assert bit_equal(a.built.kwargs[name], b.built.kwargs[name]), f"{name} differs"


def max_difference(a: Tensor, b: Tensor) -> float:
    difference = (a.double() - b.double()).abs()
    finite = difference[torch.isfinite(difference)]
    return float(finite.max()) if finite.numel() else math.nan
