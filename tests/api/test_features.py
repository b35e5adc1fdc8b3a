# SPDX-License-Identifier: BSD-3-Clause
"""flash_attn_with_kvcache against the float64 reference, feature by feature."""

import pytest

from tests.support.apis import per_api
from tests.support.cases import Case
from tests.support.features import compact_cases, feature_cases
from tests.support.harness import check


@per_api("case", feature_cases)
def test_feature(case: Case) -> None:
    check(case)


@pytest.mark.portable
@pytest.mark.sanitize
@per_api("case", compact_cases)
def test_every_kernel(case: Case) -> None:
    check(case)
