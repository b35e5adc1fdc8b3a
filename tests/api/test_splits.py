# SPDX-License-Identifier: BSD-3-Clause
"""num_splits changes nothing but rounding: each number of splits obeys the accuracy rule."""

from __future__ import annotations

import dataclasses

import pytest

from tests.support.cases import Case
from tests.support.harness import check
from tests.support.seed import SEED

CASES = {
    "decode": Case("v2", SEED, d=64, capacity=1000, cache_seqlens=(1000, 130)),
    "short": Case("v2", SEED, "bfloat16", capacity=3, cache_seqlens=(3, 1)),
    "empty": Case("v2", SEED, capacity=300, cache_seqlens=(0, 300)),
    "prefill": Case("v2", SEED, "bfloat16", seqlen_q=70, capacity=300, causal=True),
    "window": Case("v2", SEED, "float32", seqlen_q=9, capacity=700, window=(50, 0)),
    "padding": Case("v2", SEED, capacity=300, cache_seqlens=(300, 290), leftpad=(130, 280), seqlen_q=3),
    "append": Case("v2", SEED, capacity=600, cache_seqlens=(590, 200), seqlen_new=5, seqlen_q=5, causal=True),
    "falling scores": Case("v2", SEED, "float32", capacity=600, ramp=(8.0, 0.0)),
    "rising scores": Case("v2", SEED, capacity=600, ramp=(0.0, 8.0), softcap=30.0),
}


@pytest.mark.parametrize("name", CASES)
def test_splits_agree(api: str, name: str) -> None:
    largest = 128 if api == "v2" else 256
    for num_splits in (1, 0, 2, 3, 17, largest):
        check(dataclasses.replace(CASES[name], api=api, num_splits=num_splits))
