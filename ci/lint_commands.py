# SPDX-License-Identifier: BSD-3-Clause
"""The commands of `nox -s lint`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from .findings import CPP, tracked
from .packages import PACKAGES, ROOT

# What mypy checks beyond the packages; all of it is found from the root, `buildtools` in kernels-common.
TYPED = ("noxfile.py", "ci", "emulation", "benchmarks", "examples", "kernels-common/buildtools")

MYPYPATH = ":".join(["kernels-common", *(str(package.source.parent.relative_to(ROOT)) for package in PACKAGES)])


def commands(fix: bool) -> Iterator[tuple[str, ...]]:
    """Every check as a command line, to be run in the root; with `fix`, formatters rewrite files."""
    yield ("ruff", "check", *(["--fix"] if fix else []), ".")
    yield ("ruff", "format", *([] if fix else ["--check"]), ".")
    yield ("clang-format", *(["-i"] if fix else ["--dry-run", "--Werror"]), f"--files={cpp_list()}")
    yield ("python", "-m", "ci.device_lint")
    yield ("python", "-m", "ci.rooms")
    yield ("python", "-m", "ci.style")
    yield ("mypy", *TYPED)
    # The shared Python is checked twice, as each package sees it through its _common symlink.
    for package in PACKAGES:
        yield ("mypy", str(package.source.relative_to(ROOT)))


def cpp_list() -> Path:
    """A file with the names of the C++ files: a command line with all of them hides what follows it."""
    file = ROOT / "build" / "lint" / "cpp-files.txt"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(str(path.relative_to(ROOT)) for path in tracked(CPP)) + "\n")
    return file
