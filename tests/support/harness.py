# SPDX-License-Identifier: BSD-3-Clause
"""Runs a `Case` through an API and judges everything it returned and everything it wrote.

The rules, which hold for every backend and on every machine, because each bound is computed from the call itself:
- out: |out - exact| is at most twice the largest error that the plain PyTorch formula in the input dtype makes in the
  same call, and what no implementation can avoid: see `Expected.allowed`.
- lse: within fp32 arithmetic of the exact one, and what rounding a rotated q and k may cost; infinities exactly.
- caches: every byte that was not appended is unchanged, appended values are bit-identical, rotated keys are within one
  unit in the last place. No other input changes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from tests.support import backend
from tests.support.cases import Built, Case, build
from tests.support.reference import Precision, Result, attention_with_kvcache, ulp

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
        return compare(before, built, result)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{describe(before)}") from None


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


def compare(before: Built, after: Built, result: Any) -> Outcome:
    """Judges a result, and the arguments as the call left them.

    Raises:
        AssertionError: something is wrong; the message has the figures.
    """
    case = before.case
    out, lse = result, None
    if case.return_softmax_lse:
        expected_values = 2 if case.api == "v2" else 4
        assert isinstance(result, tuple), f"return_softmax_lse=True returned a {type(result).__name__}"
        assert len(result) == expected_values, f"{len(result)} values returned, expected {expected_values}"
        out, lse = result[0], result[1]
    else:
        assert isinstance(result, Tensor), f"return_softmax_lse=False returned a {type(result).__name__}"

    expected = Expected(case.api, before.kwargs)
    expected.check(out, lse)
    compare_memory(before, after, expected.exact)
    return Outcome(result, out, lse, after)


def allowed_error(exact: Tensor, formula: Tensor, dtype: torch.dtype) -> Tensor:
    """How far each value of a result in `dtype` may be from `exact`, which is float64.

    Twice the largest error of `formula`, which is the same computation in plain PyTorch with the input dtype; 1e-5 for
    fp32 arithmetic, which every backend uses inside; and half a unit in the last place of the value, as any result is
    rounded to its dtype once: the formula's error has that too, but in a small result only by luck.
    """
    formula_error = float((formula.double() - exact).abs().max()) if exact.numel() else 0.0
    return 2 * formula_error + 1e-5 + ulp(exact, dtype) / 2


class Expected:
    """What the reference says about one call, and how far a result may be off.

    Attributes:
        exact: the reference's results in float64.
        dtype, out_dtype: of q and of out.
    """

    def __init__(self, api: str, kwargs: dict[str, Any]) -> None:
        """`kwargs`: the arguments as they are before the call; they are not modified."""
        with one_thread():
            self.exact = attention_with_kvcache(api, kwargs, Precision.EXACT)
            self._formula = attention_with_kvcache(api, kwargs, Precision.SAME_DTYPE).out
        self.dtype = kwargs["q"].dtype
        self.out_dtype = torch.bfloat16 if self.dtype == torch.float8_e4m3fn else self.dtype

    @property
    def truth(self) -> Tensor:
        """The rows of out that belong to a sequence."""
        return self.exact.out[self.exact.written]

    @cached_property
    def formula_error(self) -> float:
        """Largest error of the plain PyTorch formula in the input dtype."""
        error = (self._formula[self.exact.written] - self.truth).abs()
        return float(error.max()) if error.numel() else 0.0

    @cached_property
    def allowed(self) -> Tensor:
        """How far each value of out may be off: `allowed_error`, and

        - four units in the last place of the largest logit, as scores are fp32 inside;
        - three standard deviations of what rounding a rotated q and k does to this value: two factors are rounded to
          half an eps each, which is 0.41 eps per product. The formula's error has that too, but see `allowed_error`.
        """
        scores = 4 * float(ulp(torch.tensor(self.exact.max_logit, dtype=torch.float64), torch.float32))
        rotation = 3 * 0.41 * torch.finfo(self.dtype).eps * self.exact.rotation_spread[self.exact.written]
        formula = self._formula[self.exact.written]
        return allowed_error(self.truth, formula, self.out_dtype) + scores + rotation

    def check(self, out: Tensor, lse: Tensor | None = None) -> None:
        """
        Raises:
            AssertionError: a value is further off than allowed; the message has the figures.
        """
        self.check_out(out)
        if lse is not None:
            self.check_lse(lse)

    def check_out(self, out: Tensor) -> None:
        exact = self.exact
        assert out.dtype == self.out_dtype, f"out has dtype {out.dtype}, expected {self.out_dtype}"
        assert out.shape == exact.out.shape, f"out has shape {tuple(out.shape)}, expected {tuple(exact.out.shape)}"
        ours, truth = out[exact.written].double(), self.truth
        if truth.numel() == 0:
            return
        infinite = ~torch.isfinite(ours)
        assert not infinite.any(), f"out: {int(infinite.sum())} of {ours.numel()} values not finite"
        error = (ours - truth).abs()
        excess = error - self.allowed
        worst = int(excess.argmax())
        index = [int(i) for i in torch.unravel_index(torch.tensor(worst), truth.shape)]
        assert (excess <= 0).all(), (
            f"out: error {float(error.flatten()[worst]):.3e} > allowed {float(self.allowed.flatten()[worst]):.3e} "
            f"(same-dtype formula: {self.formula_error:.3e}); {int((excess > 0).sum())} of {truth.numel()} wrong; "
            f"worst at [row, head, feature] = {index}: got {float(ours.flatten()[worst]):.6g}, "
            f"expected {float(truth.flatten()[worst]):.6g}"
        )

    def check_lse(self, lse: Tensor) -> None:
        exact = self.exact
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
        # A probability need be no more exact than the dtype that it is rounded to before it meets V. Such errors, of
        # half an eps at most, average out in their sum: an eighth of an eps is left. In fp32 as for out.
        absolute = max(1e-5, torch.finfo(self.out_dtype).eps / 8)
        # A logit is a sum over up to 256 features in fp32: a random walk of 16 times 2^-24, and four sigma of that.
        relative = 2.0**-18
        # Each product of a logit is off by at most eps; the errors of many add up like a random walk, five sigma of it.
        rounding = 2 * torch.finfo(self.dtype).eps * exact.max_rotated_norm
        largest = max(exact.max_logit, float(truth.abs().max()))
        if exact.most_rows >= backend.current().half_score_rows:
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
