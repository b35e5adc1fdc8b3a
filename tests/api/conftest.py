# SPDX-License-Identifier: BSD-3-Clause
"""Tests of flash_attn_with_kvcache, from one set of bodies for both APIs; see tests/support/apis.py."""

from __future__ import annotations

import pytest

from tests.support import apis


def pytest_report_header(config: pytest.Config) -> str:
    return f"tests/api runs on {' and '.join(apis.chosen(config))}"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    versions = apis.of_test(metafunc.definition, apis.chosen(metafunc.config))
    marker = metafunc.definition.get_closest_marker("per_api")
    takes_api = "api" in metafunc.fixturenames
    if marker is not None:
        name, source = marker.args
        rows = [(api, test_id, value) for api in versions for test_id, value in source(api)]
        names = ("api", name) if takes_api else (name,)
        values = [(api, value) if takes_api else (value,) for api, _, value in rows]
        metafunc.parametrize(names, values, ids=[f"{api}-{test_id}" for api, test_id, _ in rows])
    elif takes_api:
        metafunc.parametrize("api", versions)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out the tests of the API that was not chosen."""
    versions = apis.chosen(config)
    others = [item for item in items if not apis.of_test(item, versions)]
    if others:
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if apis.of_test(item, versions)]
