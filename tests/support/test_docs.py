# SPDX-License-Identifier: BSD-3-Clause
"""The Markdown files: links resolve, Python blocks run, sessions, modules and variables exist.

Lengths of lines are for `nox -s lint` to check.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.support.paths import ROOT

SKIPPED_FOLDERS = {"build", "dist"}  # of output, at any level
LINK = re.compile(r"\]\(([^()\s]+)\)")
SESSION = re.compile(r"nox -s ((?:[a-z][a-z0-9-]*[ \t]*)+)")
MODULE = re.compile(r"python -m ((?:benchmarks|buildtools|ci|emulation|examples|tests)(?:\.[a-z_]\w*)*)")
# A name in quotes: what a program reads, and not a macro.
VARIABLE = re.compile(r"[\"'](FLASH_ATTN_NPU_[A-Z_]+)[\"'=]")
# Python that the reader of a block has already: `<!-- setup` in front of the block holds it.
BLOCK = re.compile(r"<!-- setup\n(?P<setup>.*?)-->|^```python\n(?P<block>.*?)^```", re.DOTALL | re.MULTILINE)


def markdown_files() -> Iterator[Path]:
    """All of the project's, by path from the root; not those of environments, build output or hidden folders."""
    for path in sorted(ROOT.rglob("*.md")):
        folders = path.relative_to(ROOT).parts[:-1]
        foreign = any(name in SKIPPED_FOLDERS or name.startswith(".") for name in folders)
        linked = any(parent.is_symlink() for parent in path.parents if parent.is_relative_to(ROOT))
        if not foreign and not linked:
            yield path.relative_to(ROOT)


FILES = [pytest.param(path, id=str(path)) for path in markdown_files()]


def text_of(path: Path) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def without_code(text: str) -> str:
    return re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)


def anchors(text: str) -> set[str]:
    """The names under which a heading can be linked, by GitHub's rule."""
    headings = re.findall(r"^#+ (.*)$", without_code(text), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(path: Path) -> list[str]:
    broken = []
    for link in LINK.findall(without_code(text_of(path))):
        if re.match(r"[a-z]+:", link):
            continue  # another site: tests need no network
        name, _, anchor = unquote(link).partition("#")
        target = (ROOT / path).parent / name if name else ROOT / path
        if not target.exists() or (anchor and anchor not in anchors(target.read_text(encoding="utf-8"))):
            broken.append(link)
    return broken


def sessions() -> set[str]:
    """Names of the sessions that the noxfile registers, read without nox."""
    names = set()
    for node in ast.walk(ast.parse((ROOT / "noxfile.py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef):
            for decorator in node.decorator_list:
                source = ast.unparse(decorator)
                if source.startswith("nox.session"):
                    named = re.search(r"name='([^']+)'", source)
                    names.add(named.group(1) if named else node.name)
    return names


def runs_here(path: Path) -> bool:
    """Code of ascend-twin's documents runs in its own tests, without our wheels."""
    return "```python" in text_of(path) and "ascend-twin" not in path.parts


def program(text: str) -> str:
    """All Python blocks of a file, in order, as one program."""
    parts = (match["block"] or match["setup"] for match in BLOCK.finditer(text))
    return "\n".join(parts)


def test_the_files_are_found() -> None:
    assert {Path("README.md"), Path("docs/index.md"), Path("kernels-common/README.md")} <= set(markdown_files())


@pytest.mark.parametrize("path", FILES)
def test_links(path: Path) -> None:
    assert not broken_links(path)


@pytest.mark.parametrize("path", FILES)
def test_sessions_exist(path: Path) -> None:
    named = {name for names in SESSION.findall(text_of(path)) for name in names.split()}
    assert named <= sessions()


@pytest.mark.parametrize("path", FILES)
def test_modules_exist(path: Path) -> None:
    roots = (ROOT, ROOT / "kernels-common", ROOT / "packages" / "ascend-twin")
    for module in MODULE.findall(text_of(path)):
        places = [root / module.replace(".", "/") for root in roots]
        assert any(p.with_suffix(".py").exists() or (p / "__main__.py").exists() for p in places), module


def test_variables_are_documented() -> None:
    """Every variable of ours that a program or test reads is in a table of some document."""
    suffixes = {".py", ".h", ".cpp", ".cc"}
    read = set()
    for folder in ("kernels-common", "packages", "emulation", "benchmarks", "examples", "tests", "ci"):
        for path in (ROOT / folder).rglob("*"):
            if (
                path.suffix in suffixes
                and path != Path(__file__)
                and not SKIPPED_FOLDERS & set(path.relative_to(ROOT).parts)
            ):
                read |= set(VARIABLE.findall(path.read_text(encoding="utf-8", errors="replace")))
    documented = {name for path in markdown_files() for name in re.findall(r"[A-Z][A-Z_]+[A-Z]", text_of(path))}
    assert {"FLASH_ATTN_NPU_CPU_ISA", "FLASH_ATTN_NPU_TEST_SEED"} <= read
    assert not read - documented


@pytest.mark.parametrize("path", [path for path in FILES if runs_here(path.values[0])])
def test_python_blocks_run(path: Path) -> None:
    pytest.importorskip("flash_attn_npu_v2")
    pytest.importorskip("flash_attn_npu_v3")
    result = subprocess.run(
        [sys.executable, "-c", program(text_of(path))], cwd=ROOT, text=True, capture_output=True, timeout=300
    )
    assert result.returncode == 0, result.stderr


def test_what_the_checks_find(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A `b` c\n[x](#a-b-c) [x](#d) [x](gone.md) [x](https://example.org)\n```\n[x](code.md)\n```\n")
    assert broken_links(page) == ["#d", "gone.md"]
    assert program("<!-- setup\na = 1\n-->\ntext\n```python\nb = a\n```\n```\nno\n```\n") == "a = 1\n\nb = a\n"
    assert {"lint", "test-v3", "simulate"} <= sessions()
