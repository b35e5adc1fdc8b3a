# SPDX-License-Identifier: BSD-3-Clause
"""flash_attn_npu_v3 on unusual memory: shared, expanded, fused and very large caches."""

import pytest

from tests.support import memory


def test_expanded_inputs() -> None:
    memory.expanded_inputs("v3")


def test_sequences_share_a_cache_row() -> None:
    memory.sequences_share_a_cache_row("v3")


@pytest.mark.parametrize("keys_outside", [True, False])
def test_fused_pages(keys_outside: bool) -> None:
    memory.fused_pages("v3", keys_outside)


def test_heads_outside_the_page() -> None:
    memory.heads_outside_the_page("v3")


def test_pages_beyond_two_to_31_elements() -> None:
    memory.pages_beyond_two_to_31_elements("v3")


def test_rows_beyond_two_to_31_elements() -> None:
    memory.rows_beyond_two_to_31_elements("v3")
