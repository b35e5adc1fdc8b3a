# SPDX-License-Identifier: BSD-3-Clause
"""Wrong calls: right exception, a message that helps, untouched caches."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from tests.api.bad_input_calls import BadCall, good_call
from tests.api.bad_input_table import TABLE
from tests.support import backend
from tests.support.apis import per_api
from tests.support.harness import bit_equal


def rows(api: str) -> Iterator[tuple[str, BadCall]]:
    return ((row.id.replace(" ", "-"), row) for row in TABLE if api in row.apis)


def bases(api: str) -> Iterator[tuple[str, str]]:
    return ((base, base) for base in sorted({row.base for _, row in rows(api)}))


@per_api("base", bases)
def test_good_calls_work(api: str, base: str) -> None:
    """Otherwise the rows below would prove nothing."""
    backend.current().call(api, good_call(api, base))


@pytest.mark.sanitize
@per_api("row", rows)
def test_bad_input(api: str, row: BadCall) -> None:
    kwargs = good_call(api, row.base)
    argument = "block_table" if api == "v2" and row.argument == "page_table" else row.argument
    if api == "v2" and "block_table" in kwargs:  # the table says page_table
        kwargs["page_table"] = kwargs.pop("block_table")
        row.mutate(kwargs)
        kwargs["block_table"] = kwargs.pop("page_table")
    else:
        row.mutate(kwargs)
    kept = {name: kwargs[name].clone() for name in ("k_cache", "v_cache") if is_readable(kwargs[name])}

    error: Exception | None = None
    try:
        backend.current().call(api, kwargs)
    except Exception as raised:
        error = raised
    assert error is not None, f"no error; expected {row.error.__name__} about {argument}"
    report = f"{type(error).__name__}: {error}"
    assert type(error) is row.error, f"{report}\nexpected {row.error.__name__} about {argument}"
    message = re.fullmatch(r"(?s)(?P<argument>.+?): got (?P<got>.+?), expected (?P<allowed>.+)", str(error))
    assert message, f"{report}\nis not of the form '<argument>: got <value>, expected <what is allowed>'"
    assert re.fullmatch(rf"{argument}(\[.*\])?", message["argument"]), f"{report}\nexpected to be about {argument}"
    assert re.search(row.got, message["got"]), f"{report}\ndoes not tell the value: {row.got}"
    assert re.search(row.allowed, message["allowed"]), f"{report}\ndoes not tell what is allowed: {row.allowed}"
    for name, before in kept.items():
        assert bit_equal(before, kwargs[name]), f"{name} was modified although the call raised {report}"


def is_readable(x: Any) -> bool:
    return type(x) is torch.Tensor and x.device.type == "cpu"
