# SPDX-License-Identifier: BSD-3-Clause
"""Threads, processes and repeatability of flash_attn_npu_v3."""

from __future__ import annotations

import pytest

from tests.support import threads

CASES = [pytest.param(case, id=name.replace(" ", "-")) for name, case in threads.cases("v3").items()]


@pytest.mark.parametrize("case", CASES)
def test_thread_count_does_not_matter(case: threads.Case) -> None:
    threads.thread_count_does_not_matter(case)


@pytest.mark.parametrize("case", CASES)
def test_same_bits_every_time(case: threads.Case) -> None:
    threads.same_bits_every_time(case)


@pytest.mark.sanitize
def test_many_callers() -> None:
    threads.many_callers("v3")


@pytest.mark.parametrize("child_threads", [None, 1, 4])
def test_forked_child_works(child_threads: int | None) -> None:
    threads.forked_child_works("v3", child_threads)


def test_other_threads_run_meanwhile() -> None:
    threads.other_threads_run_meanwhile("v3")
