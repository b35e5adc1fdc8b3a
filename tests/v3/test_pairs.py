# SPDX-License-Identifier: BSD-3-Clause
"""Pairwise combinations of all features of flash_attn_npu_v3.flash_attn_with_kvcache."""

import pytest

from tests.support import backend
from tests.support.cases import Case
from tests.support.harness import check
from tests.support.pairs import pair_cases

CASES = pair_cases("v3", rounds=backend.current().pair_rounds)


@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in CASES])
def test_pairs(case: Case) -> None:
    check(case)
