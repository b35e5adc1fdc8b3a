# SPDX-License-Identifier: BSD-3-Clause
"""FLASH_ATTN_NPU_CPU_ISA picks the SIMD level of flash_attn_npu_v3's cpu backend."""

import pytest

from tests.support import backend, isa

pytestmark = pytest.mark.skipif(backend.current().name != "cpu", reason="about the cpu backend only")


def test_unknown_level_is_refused() -> None:
    isa.unknown_level_is_refused("v3")


def test_forced_level_is_used() -> None:
    isa.forced_level_is_used("v3")
