# SPDX-License-Identifier: BSD-3-Clause
"""Every rule of ci/style.py finds a planted fault, and nothing in text that is right."""

from __future__ import annotations

import pytest

from ci import style

OTHER = "CPU_LAUNCH_US"
LICENCE = {".py": f"# {style.SPDX}\n", ".h": f"// {style.SPDX}\n", ".cpp": f"// {style.SPDX}\n", ".md": ""}


def found(name: str, text: str, licence: bool = True) -> list[str]:
    """What is wrong with a file of that name, as "line: text"."""
    path = style.ROOT / name
    whole = (LICENCE[path.suffix] if licence else "") + text
    return [f"{finding.line}: {finding.text}" for finding in style.findings(path, whole)]


def function(lines: int) -> str:
    """A function of that many lines."""
    return "int f(int a) {\n" + "    a += 1;\n" * (lines - 2) + "}\n"


BAD = [
    ("a.py", "# " + "x" * 119 + "\n", "2: 121 columns, at most 120"),
    ("a.h", "/// " + "x" * 117 + "\n", "2: 121 columns, at most 120"),
    ("a.md", "word " * 24 + "ab\n", "1: 122 columns, at most 120"),
    ("a.py", "a = 1\n" * 500, "501: 501 lines, at most 500"),
    ("a.cpp", "namespace n {\n" + function(101) + "}\n", "3: f has 101 lines, at most 100"),
    ("a.h", "class A {\n    A() : a(1) {}\n" + function(101) + "};\n", "4: f has 101 lines, at most 100"),
    ("a.h", "constexpr int LARGEST = 4;\n", "2: the constant LARGEST is not named kPascal"),
    ("a.h", "constexpr int kOne = 4, TWO = 5;\n", "2: the constant TWO is not named kPascal"),
    ("a.h", "static constexpr uint32_t SIZES[2] = {1, 2};\n", "2: the constant SIZES is not named kPascal"),
    ("a.h", "constexpr LocalTensor<half>* TILE{nullptr};\n", "2: the constant TILE is not named kPascal"),
    ("a.py", f'os.environ.get("{OTHER}")\n', "2: the environment variable CPU_LAUNCH_US has none"),
    ("a.cpp", f'std::getenv("{OTHER}")\n', "2: the environment variable CPU_LAUNCH_US has none"),
    ("a.py", 'import sys\nsys.path.insert(0, "x")\n', "3: sys.path is edited"),
    ("a.py", 'import sys\nsys.path += ["x"]\n', "3: sys.path is edited"),
]


@pytest.mark.parametrize(("name", "text", "expected"), BAD, ids=[expected for _, _, expected in BAD])
def test_planted_fault_is_found(name: str, text: str, expected: str) -> None:
    problems = found(name, text)
    assert len(problems) == 1 and problems[0].startswith(expected), problems


@pytest.mark.parametrize("name", ["a.py", "a.h"])
def test_missing_licence_is_found(name: str) -> None:
    assert found(name, "\n", licence=False) == [f"1: the first line is not the comment {style.SPDX}"]


GOOD = [
    ("a.md", "| " + "x" * 130 + " |\n![" + "x" * 130 + "](a.png)\n```\n" + "x" * 130 + "\n```\n"),
    ("a.cpp", "namespace n {\n" + function(100) + function(60) + "}\n"),
    ("a.cpp", "struct A {\n" + "    int a;\n" * 120 + "};\n"),
    ("a.h", "constexpr int kLargest = 4;\nconstexpr int F(int a) { return a; }\n// constexpr int LARGEST = 4;\n"),
    ("packages/ascend-twin/src/ascend_twin/include/a.h", "constexpr int EVENT_ID0 = 0;\n"),
    ("a.py", 'os.environ["FLASH_ATTN_NPU_BACKEND"], os.environ["ASCEND_TWIN_CACHE"], os.environ["CXX"]\n'),
    ("a.py", "print(sys.path)\n"),
]


@pytest.mark.parametrize(("name", "text"), GOOD, ids=range(len(GOOD)))
def test_right_text_passes(name: str, text: str) -> None:
    assert found(name, text) == []


def test_script_may_name_its_interpreter_first() -> None:
    assert found("a.py", f"#!/usr/bin/env python3\n# {style.SPDX}\n", licence=False) == []


def test_files_are_listed_once_and_without_links() -> None:
    names = [path.relative_to(style.ROOT).as_posix() for path in style.covered()]
    assert len(names) == len(set(names))
    assert "ci/style.py" in names and "packages/flash-attn-npu-v2/kernels-common" not in names
