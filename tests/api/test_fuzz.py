# SPDX-License-Identifier: BSD-3-Clause
"""A few hundred random calls; `nox -s fuzz -- 10000` runs more of the same."""

import pytest

from tests.support import backend
from tests.support.fuzz import fuzz
from tests.support.seed import SEED


@pytest.mark.parametrize("part", range(4))
def test_fuzz(api: str, part: int) -> None:
    fuzz(api, backend.current().fuzz_calls, SEED + part)


@pytest.mark.parametrize("part", range(2))
def test_fuzz_long(api: str, part: int) -> None:
    fuzz(api, backend.current().fuzz_calls // 5, SEED + part, sizes="long")


@pytest.mark.portable
@pytest.mark.sanitize
def test_fuzz_a_little(api: str) -> None:
    fuzz(api, 60, SEED + 100)
