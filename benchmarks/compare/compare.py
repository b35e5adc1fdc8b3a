# SPDX-License-Identifier: BSD-3-Clause
"""One case through both wheels: are the results equal, how far from float64, how long does each take."""

from __future__ import annotations

import functools
import importlib
from dataclasses import dataclass
from typing import Any, Callable

import torch
from torch import Tensor

from benchmarks.compare import torch_call
from benchmarks.compare.cases import for_api
from benchmarks.cpu.timing import statistic_for, time_in_turns
from tests.support import harness
from tests.support.cases import Built, Case, build
from tests.support.harness import bit_equal
from tests.support.reference import Precision, attention_with_kvcache

VERSIONS = ("v2", "v3")


@dataclass(frozen=True)
class Comparison:
    """Errors are the largest distance of any output from float64; times are medians in milliseconds."""

    case: str
    v2_error: float
    v3_error: float
    formula_error: float  # of the plain PyTorch formula in the same dtype
    sdpa_error: float | None
    v2_ms: float
    v3_ms: float
    sdpa_ms: float | None
    statistic: str  # "median", or "minimum" below a millisecond


def flash_attn(version: str) -> Callable[..., Any]:
    return importlib.import_module(f"flash_attn_npu_{version}").flash_attn_with_kvcache


@dataclass(frozen=True)
class Judged:
    """A case that passed: its inputs as they were, and what each wheel returned for them."""

    inputs: dict[str, Built]
    out: dict[str, Tensor]


def judge(case: Case) -> Judged:
    """
    Raises:
        AssertionError: the wheels disagree in a bit, or a result is further from float64 than the project allows.
    """
    inputs = {version: build(for_api(case, version)) for version in VERSIONS}
    assert_same_inputs(inputs["v2"], inputs["v3"])
    after = {version: inputs[version].clone() for version in VERSIONS}
    results = {version: flash_attn(version)(**after[version].kwargs) for version in VERSIONS}
    assert_same_results(*(results[version][:2] for version in VERSIONS))
    for cache in ("k_cache", "v_cache"):
        assert bit_equal(after["v2"].kwargs[cache], after["v3"].kwargs[cache]), f"{cache} differs"
    for version in VERSIONS:
        harness.compare(inputs[version], after[version], results[version])
    return Judged(inputs, {version: results[version][0] for version in VERSIONS})


def compare(name: str, case: Case, budget_s: float) -> Comparison:
    """Judges, measures the errors, and times both wheels and SDPA in turns.

    Raises:
        AssertionError: as `judge`.
    """
    judged = judge(case)
    kwargs = judged.inputs["v2"].kwargs
    exact = attention_with_kvcache("v2", kwargs, Precision.EXACT).out
    formula = attention_with_kvcache("v2", kwargs, Precision.SAME_DTYPE).out

    functions: dict[str, Callable[[], Any]] = {
        version: functools.partial(flash_attn(version), **judged.inputs[version].kwargs) for version in VERSIONS
    }
    sdpa_error = None
    if torch_call.can_express(kwargs):
        functions["sdpa"] = functools.partial(torch_call.with_kvcache, judged.inputs["v2"].clone().kwargs)
        sdpa_error = max_error(functions["sdpa"](), exact)
    samples = time_in_turns(functions, budget_s)
    statistic = statistic_for(samples)
    times = {key: getattr(sample, statistic) for key, sample in samples.items()}
    return Comparison(
        case=name,
        v2_error=max_error(judged.out["v2"], exact),
        v3_error=max_error(judged.out["v3"], exact),
        formula_error=max_error(formula, exact),
        sdpa_error=sdpa_error,
        v2_ms=times["v2"],
        v3_ms=times["v3"],
        sdpa_ms=times.get("sdpa"),
        statistic=statistic,
    )


def max_error(out: Tensor, exact: Tensor) -> float:
    return float((out.double() - exact).abs().max())


def assert_same_inputs(v2: Built, v3: Built) -> None:
    for name, value in v2.kwargs.items():
        other = v3.kwargs["page_table" if name == "block_table" else name]
        same = bit_equal(value, other) if isinstance(value, Tensor) else value == other
        assert same, f"v2 and v3 would not get the same {name}"


def assert_same_results(v2: tuple[Tensor, Tensor], v3: tuple[Tensor, Tensor]) -> None:
    """One backend, so every bit is equal; except that a row without keys has LSE +inf in v2 and -inf in v3."""
    assert bit_equal(v2[0], v3[0]), f"out differs by up to {max_error(v2[0], v3[0].double()):.3e}"
    sees_keys = torch.isfinite(v2[1])
    assert torch.equal(sees_keys, torch.isfinite(v3[1])), "softmax_lse is finite in different places"
    assert bit_equal(v2[1][sees_keys], v3[1][sees_keys]), "softmax_lse differs"
    assert bool((v2[1][~sees_keys] == float("inf")).all()), "v2: LSE of a row without keys is not +inf"
    assert bool((v3[1][~sees_keys] == float("-inf")).all()), "v3: LSE of a row without keys is not -inf"
