# SPDX-License-Identifier: BSD-3-Clause
"""Every tick of the support table names tests that exist."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.support.apis import VERSIONS
from tests.support.features import FEATURES
from tests.support.paths import ROOT

COLUMNS = {"v2, cpu": "v2", "v3, cpu": "v3"}
DEVICE = "910B, twin"
TABLE = ROOT / "docs" / "support.md"


def table_rows() -> Iterator[dict[str, str]]:
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("| feature |"))
    header = cells(lines[start])
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            return
        yield dict(zip(header, cells(line)))


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def proofs_of(api: str, cpu_only: bool = True) -> set[str]:
    """Names of test functions in tests/api that run on this API, and of the features that test_feature runs through.

    cpu_only: with those of files that skip other backends.
    """
    names = {feature.__name__ for feature in FEATURES[api]}
    for path in (ROOT / "tests" / "api").glob("test_*.py"):
        text = path.read_text(encoding="utf-8")
        if cpu_only or 'skipif(backend.current().name != "cpu"' not in text:
            names |= functions_in(text, api)
    return names


def functions_in(text: str, api: str) -> set[str]:
    """Test functions of a file, without those that are marked with `only` for the other API."""
    module = ast.parse(text)
    others = [f"only('{version}')" for version in VERSIONS if version != api]
    for statement in module.body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.value) in others:
            return set()
    return {
        node.name
        for node in module.body
        if isinstance(node, ast.FunctionDef)
        and not any(ast.unparse(decorator) in others for decorator in node.decorator_list)
    }


def test_proofs_leave_out_the_other_api() -> None:
    assert "test_hints_change_nothing" in proofs_of("v3") - proofs_of("v2")
    assert "test_positional_call" in proofs_of("v2") - proofs_of("v3")


def test_proofs_on_the_device_leave_out_what_is_skipped_there() -> None:
    assert "test_forced_level_is_used" in proofs_of("v3") - proofs_of("v3", cpu_only=False)


@pytest.mark.parametrize("row", [pytest.param(row, id=row["feature"]) for row in table_rows()])
def test_ticks_are_proved(row: dict[str, str]) -> None:
    ticked = [api for column, api in COLUMNS.items() if row[column] == "✓"]
    assert ticked, f"no API has {row['feature']!r}: why does the table have it?"
    for api in ticked:
        missing = {name.strip("`") for name in row["proved by"].split(", ")} - proofs_of(api)
        assert not missing, f"tests/api has for {api} no {', '.join(sorted(missing))}"


@pytest.mark.parametrize("row", [pytest.param(row, id=row["feature"]) for row in table_rows()])
def test_device_column(row: dict[str, str]) -> None:
    """A tick is proved by the same tests on the twin; a "no" by a test that the feature is refused."""
    if row[DEVICE] == "no":
        refused = functions_in((ROOT / "tests/device/twin/test_refused.py").read_text(encoding="utf-8"), "v3")
        assert f"test_{row['feature'].split()[0]}" in refused
        return
    assert row[DEVICE] == "✓", f"{row['feature']}: {row[DEVICE]!r} is neither ✓ nor no"
    for api in (api for column, api in COLUMNS.items() if row[column] == "✓"):
        missing = {name.strip("`") for name in row["proved by"].split(", ")} - proofs_of(api, cpu_only=False)
        assert not missing, f"tests/api does not run on {api} on the twin: {', '.join(sorted(missing))}"
