# SPDX-License-Identifier: BSD-3-Clause
"""The APIs that tests/api runs on, and how a test there says what it needs.

A test that takes `api` runs once for each chosen API: those of `--api`, or those that are installed.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from typing import Any, Callable

import pytest

VERSIONS = ("v2", "v3")
MARKERS = (
    "only_api(version): the test is about one API",
    "per_api(name, source): parameter `name` takes the (id, value) pairs of source(api)",
)


def only(version: str) -> pytest.MarkDecorator:
    """The test, or as `pytestmark` the file, is about what only this API has."""
    assert version in VERSIONS
    return pytest.mark.only_api(version)


def per_api(name: str, source: Callable[[str], Iterable[tuple[str, Any]]]) -> pytest.MarkDecorator:
    """The parameter `name` of the test takes the values of `source(api)`, pairs of a test id and a value."""
    return pytest.mark.per_api(name, source)


def add_option(parser: pytest.Parser) -> None:
    parser.addoption(
        "--api",
        action="append",
        choices=VERSIONS,
        help="the API whose tests in tests/api run; may be given twice. Default: those that are installed.",
    )


def is_installed(version: str) -> bool:
    return importlib.util.find_spec(f"flash_attn_npu_{version}") is not None


def chosen(config: pytest.Config) -> tuple[str, ...]:
    """
    Raises:
        pytest.UsageError: an API that was asked for is not installed, or none is.
    """
    asked = config.getoption("--api")
    versions = tuple(v for v in VERSIONS if (v in asked if asked else is_installed(v)))
    missing = [f"flash_attn_npu_{v}" for v in versions if not is_installed(v)]
    if missing:
        raise pytest.UsageError(f"--api: {' and '.join(missing)} cannot be imported")
    if not versions:
        raise pytest.UsageError("tests/api: neither flash_attn_npu_v2 nor flash_attn_npu_v3 is installed")
    return versions


def of_test(item: pytest.Item | Any, versions: tuple[str, ...]) -> tuple[str, ...]:
    """Those of `versions` that a test or a test function is about."""
    marker = item.get_closest_marker("only_api")
    return versions if marker is None else tuple(v for v in versions if v == marker.args[0])
