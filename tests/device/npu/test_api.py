# SPDX-License-Identifier: BSD-3-Clause
"""The API on npu tensors against the float64 reference: every kind of argument crosses, and strides are kept."""

from __future__ import annotations

import pytest

from tests.device.npu.npu_call import call_on_npu
from tests.support.cases import LAYOUTS, Case
from tests.support.features import compact_cases, dtypes
from tests.support.harness import check
from tests.support.seed import SEED


def npu_cases() -> list[tuple[str, Case]]:
    """The compact cases of both APIs in the dtypes an NPU has."""
    cases = []
    for api in ("v2", "v3"):
        cases += [(f"{api}-{name}", case) for name, case in compact_cases(api) if case.dtype != "float32"]
    return cases


@pytest.mark.kernels
@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in npu_cases()])
def test_compact(case: Case) -> None:
    check(case, call_on_npu)


@pytest.mark.parametrize("api", ["v2", "v3"])
@pytest.mark.parametrize("q_layout", LAYOUTS)
@pytest.mark.parametrize("cache_layout", LAYOUTS)
def test_layouts(api: str, q_layout: str, cache_layout: str) -> None:
    for n, new_layout in enumerate(LAYOUTS):
        case = Case(
            api,
            SEED + n,
            dtypes(api)[n % 2],
            seqlen_q=3,
            seqlen_new=3,
            cache_seqlens=(9, 40),
            causal=True,
            q_layout=q_layout,
            cache_layout=cache_layout,
            new_layout=new_layout,
        )
        check(case, call_on_npu)
