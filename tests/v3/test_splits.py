# SPDX-License-Identifier: BSD-3-Clause
"""num_splits changes nothing but rounding in flash_attn_npu_v3."""

from __future__ import annotations

import dataclasses

import pytest

from tests.support.splits import CASES, splits_agree


@pytest.mark.parametrize("name", CASES)
def test_splits_agree(name: str) -> None:
    splits_agree(dataclasses.replace(CASES[name], api="v3"))
