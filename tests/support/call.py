# SPDX-License-Identifier: BSD-3-Clause
"""Helpers of the tests that make a call by hand instead of through a Case."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor

from tests.support import backend
from tests.support.cases import Case, build
from tests.support.reference import Precision, Result, attention_with_kvcache


def call(api: str, kwargs: dict[str, Any]) -> Any:
    return backend.current().call(api, kwargs)


def exact(api: str, kwargs: dict[str, Any]) -> Result:
    return attention_with_kvcache(api, kwargs, Precision.EXACT)


def arguments(case: Case, **changes: Any) -> dict[str, Any]:
    """The tensors of a case; a change to None removes the argument."""
    merged = {**build(backend.current().adapted(case)).kwargs, **changes}
    return {name: value for name, value in merged.items() if value is not None}


def close(actual: Tensor, expected: Tensor, tolerance: float = 2e-3) -> None:
    """For fp16 and fp32 results of order one; the accuracy rule proper is in harness.py."""
    torch.testing.assert_close(actual.double(), expected.double(), rtol=tolerance, atol=tolerance)


def tight(x: Tensor) -> float:
    """Tolerance between two ways to compute `x`, which has the dtype that the backend could do (Backend.adapted)."""
    return 1e-5 if x.dtype == torch.float32 else 2e-3


def signature_text(function: Any) -> list[str]:
    """Parameter names with their defaults, in order: "q", "causal=False"."""
    return [
        name if parameter.default is inspect.Parameter.empty else f"{name}={parameter.default!r}"
        for name, parameter in inspect.signature(function).parameters.items()
    ]
