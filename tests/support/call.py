# SPDX-License-Identifier: BSD-3-Clause
"""Helpers of the tests that make a call by hand instead of through a Case."""

from __future__ import annotations

from typing import Any

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


def copies(kwargs: dict[str, Any]) -> dict[str, Any]:
    """The same arguments with tensors of their own, dense."""
    return {name: x.clone() if isinstance(x, Tensor) else x for name, x in kwargs.items()}
