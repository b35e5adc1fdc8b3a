# SPDX-License-Identifier: BSD-3-Clause
"""Refuses what CONTRIBUTING.md asks for and no other tool of the lint session checks.

    python -m ci.style [FILE ...]        default: every file that git tracks or would track

Lines (comments too), SPDX lines, lengths of files and of C++ functions, names of C++ constants, names of environment
variables, edits of sys.path.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from .device_lint import Scope, scope_of, without_comments_and_literals
from .findings import CPP, Finding, checked, tracked
from .packages import ROOT

COLUMNS = 120
FILE_LINES = 500
FUNCTION_LINES = 100
SPDX = "SPDX-License-Identifier: BSD-3-Clause"

PYTHON = (".py", ".pyi")
SOURCE = (*PYTHON, *CPP, ".def")

# Names of Ascend C and of the ACL runtime, which kernels and torch_npu are written against.
ASCEND_HEADERS = ("packages/ascend-twin/src/ascend_twin/include/", "packages/ascend-twin/src/ascend_twin/acl/include/")

OWN_PREFIXES = ("FLASH_ATTN_NPU_", "ASCEND_TWIN_")
# Variables that others define: compilers, shells, Python and its tools, CANN, torch and torch_npu, package tools.
FOREIGN_VARIABLES = {
    *(
        "CXX",
        "MAX_JOBS",
        "PATH",
        "HOME",
        "TMPDIR",
        "XDG_CACHE_HOME",
        "LD_LIBRARY_PATH",
        "LD_PRELOAD",
        "OMP_NUM_THREADS",
    ),
    *("PYTHONPATH", "MYPYPATH", "PIP_NO_CACHE_DIR", "PIP_DISABLE_PIP_VERSION_CHECK"),
    *("ASAN_OPTIONS", "UBSAN_OPTIONS", "ASCEND_HOME_PATH", "ASCEND_RT_VISIBLE_DEVICES", "TASK_QUEUE_ENABLE"),
    *("PYTORCH_NO_NPU_MEMORY_CACHING", "TORCH_DEVICE_BACKEND_AUTOLOAD", "ASCEND_LAUNCH_BLOCKING"),
    *("TWINE_USERNAME", "TWINE_PASSWORD", "PYTEST_XDIST_WORKER"),
    *("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"),
}
VARIABLE = re.compile(
    r"""(?:getenv\(|setenv\(|delenv\(|environ\.get\(|environ\.pop\(|environ\.setdefault\(|environ\[|\benv\[)\s*"(\w+)\""""
)

CONSTANT = re.compile(
    r"\bconstexpr\b(?:\s+(?:static|inline|const|auto|[\w:]+(?:<[^;={}()]*>)?[*&]*))*?\s+(\w+)(?:\[[^\]]*\])*\s*(?:=|\{)"
)
PRAGMA = re.compile(r"\s*# (?:type: ignore|noqa)\b.*$")
FURTHER = re.compile(r",\s*(\w+)\s*=(?!=)")  # constants after the first of a declaration
SYS_PATH = re.compile(r"\bsys\.path\b\s*(?:\.\s*(?:insert|append|extend)|\+?=|\[)")


def long_lines(path: Path, text: str) -> Iterator[Finding]:
    """Lines over 120 columns. Tables, pictures, links alone and code blocks of Markdown cannot be wrapped."""
    if "ruff: noqa: E501" in text or path.suffix == ".def":
        return  # a table, one row a line
    fenced = False
    for number, line in enumerate(text.splitlines(), 1):
        if path.suffix == ".md" and line.lstrip().startswith("```"):
            fenced = not fenced
        line = PRAGMA.sub("", line)  # as ruff counts
        if len(line) <= COLUMNS or len(line.split()) == 1:
            continue
        if path.suffix == ".md" and (fenced or line.lstrip().startswith(("|", "![", "[")) or "](http" in line):
            continue
        yield Finding(path, number, f"{len(line)} columns, at most {COLUMNS}")


def no_licence(path: Path, text: str) -> Iterator[Finding]:
    """Source files begin with an SPDX line; a script's first line may be its interpreter."""
    first = text.splitlines()[:2]
    if path.suffix not in SOURCE or not first:
        return
    if SPDX not in first[1 if first[0].startswith("#!") and len(first) > 1 else 0]:
        yield Finding(path, 1, f"the first line is not the comment {SPDX}")


def long_file(path: Path, text: str) -> Iterator[Finding]:
    """Files over 500 lines."""
    lines = len(text.splitlines())
    if lines > FILE_LINES:
        yield Finding(path, lines, f"{lines} lines, at most {FILE_LINES}")


def long_functions(path: Path, text: str) -> Iterator[Finding]:
    """C++ functions over 100 lines, by their braces."""
    if path.suffix not in CPP:
        return
    code = without_comments_and_literals(text)
    code = re.sub(r"(?m)^\s*#.*(?:\\\n.*)*$", lambda m: re.sub(r"[^\n]", " ", m.group()), code)
    scopes: list[Scope] = []
    begins = head = 0  # of the function that is open; of the current declaration
    for match in re.finditer(r"[{};]", code):
        if match.group() == "{":
            outer = scopes[-1] if scopes else Scope("names")
            scopes.append(scope_of(code[head : match.start()], outer))
            if outer.kind == "names" and scopes[-1].kind == "code":
                begins = head + len(code[head:]) - len(code[head:].lstrip())
        elif match.group() == "}" and scopes:
            closed = scopes.pop()
            if closed.kind == "code" and not (scopes and scopes[-1].kind == "code"):
                lines = code.count("\n", begins, match.end()) + 1
                if lines > FUNCTION_LINES:
                    number = code.count("\n", 0, begins) + 1
                    yield Finding(path, number, f"{closed.function} has {lines} lines, at most {FUNCTION_LINES}")
        head = match.end()


def constants(path: Path, text: str) -> Iterator[Finding]:
    """Names of constexpr variables in UPPER_CASE: here they are kPascal."""
    if path.suffix not in CPP or path.relative_to(ROOT).as_posix().startswith(ASCEND_HEADERS):
        return
    for number, line in enumerate(without_comments_and_literals(text).splitlines(), 1):
        first = CONSTANT.findall(line)
        for name in first + (FURTHER.findall(line) if first else []):
            if re.fullmatch(r"[A-Z][A-Z0-9_]+", name):
                yield Finding(path, number, f"the constant {name} is not named kPascal")


def variables(path: Path, text: str) -> Iterator[Finding]:
    """Environment variables of ours that do not begin with their product's prefix."""
    if path.suffix not in SOURCE:
        return
    for number, line in enumerate(text.splitlines(), 1):
        for name in VARIABLE.findall(line):
            if not name.startswith(OWN_PREFIXES) and name not in FOREIGN_VARIABLES:
                yield Finding(path, number, f"the environment variable {name} has none of the prefixes {OWN_PREFIXES}")


def path_edits(path: Path, text: str) -> Iterator[Finding]:
    """Edits of sys.path: programs run as modules, tests find packages by pytest's pythonpath."""
    if path.suffix not in PYTHON:
        return
    for number, line in enumerate(text.splitlines(), 1):
        if SYS_PATH.search(line):
            yield Finding(path, number, "sys.path is edited")


RULES: tuple[Callable[[Path, str], Iterator[Finding]], ...] = (
    long_lines,
    no_licence,
    long_file,
    long_functions,
    constants,
    variables,
    path_edits,
)


def findings(path: Path, text: str) -> list[Finding]:
    """What every rule says of `text`, the contents of `path`."""
    return [finding for rule in RULES for finding in rule(path, text)]


def covered() -> list[Path]:
    """The files with rules for them."""
    return tracked((*SOURCE, ".md"))


def main(arguments: list[str]) -> int:
    return checked([Path(argument).resolve() for argument in arguments] or covered(), findings)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
