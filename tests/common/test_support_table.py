"""Every tick of the README's support table names tests that exist."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.common.features import FEATURES

ROOT = Path(__file__).parents[2]
COLUMNS = {"v2, cpu": "v2", "v3, cpu": "v3"}


def table_rows() -> Iterator[dict[str, str]]:
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("| feature |"))
    header = cells(lines[start])
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            return
        yield dict(zip(header, cells(line)))


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def proofs_of(api: str) -> set[str]:
    """Names of test functions in tests/<api>, and of the features that test_feature runs through."""
    names = {feature.__name__ for feature in FEATURES[api]}
    for path in (ROOT / "tests" / api).glob("test_*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names |= {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    return names


@pytest.mark.parametrize("row", [pytest.param(row, id=row["feature"]) for row in table_rows()])
def test_ticks_are_proved(row: dict[str, str]) -> None:
    ticked = [api for column, api in COLUMNS.items() if row[column] == "✓"]
    assert ticked, f"no API has {row['feature']!r}: why does the table have it?"
    for api in ticked:
        missing = {name.strip("`") for name in row["proved by"].split(", ")} - proofs_of(api)
        assert not missing, f"tests/{api} has no {', '.join(sorted(missing))}"
