# SPDX-License-Identifier: BSD-3-Clause
"""Wrong calls of flash_attn_npu_v3: right exception, a message that helps, untouched caches."""

import pytest

from tests.support import backend, bad_input
from tests.support.bad_input_table import TABLE


@pytest.mark.parametrize("base", bad_input.bases("v3", TABLE))
def test_good_calls_work(base: str) -> None:
    """Otherwise the rows below would prove nothing."""
    backend.current().call("v3", bad_input.good_call("v3", base))


@pytest.mark.sanitize
@pytest.mark.parametrize("row", bad_input.rows("v3", TABLE))
def test_bad_input(row: bad_input.BadCall) -> None:
    bad_input.run("v3", row)
