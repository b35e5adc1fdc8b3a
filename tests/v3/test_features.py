# SPDX-License-Identifier: BSD-3-Clause
"""flash_attn_npu_v3.flash_attn_with_kvcache against the float64 reference, feature by feature."""

import pytest

from tests.support.cases import Case
from tests.support.features import compact_cases, feature_cases
from tests.support.harness import check


@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in feature_cases("v3")])
def test_feature(case: Case) -> None:
    check(case)


@pytest.mark.portable
@pytest.mark.sanitize
@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in compact_cases("v3")])
def test_every_kernel(case: Case) -> None:
    check(case)
