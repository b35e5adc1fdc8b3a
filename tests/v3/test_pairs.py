"""Pairwise combinations of all features of flash_attn_npu_v3.flash_attn_with_kvcache."""

import pytest

from tests.common.cases import Case
from tests.common.harness import check
from tests.common.pairs import pair_cases


@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in pair_cases("v3", rounds=5)])
def test_pairs(case: Case) -> None:
    check(case)
