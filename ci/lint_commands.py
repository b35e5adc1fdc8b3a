# SPDX-License-Identifier: BSD-3-Clause
"""The commands of `nox -s lint`."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

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


def cpp_files() -> list[str]:
    """C++ files in the work tree that git tracks or would track; symlinks into kernels-common count once."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.cpp", "*.h", "*.cc"]
    listing = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=True).stdout
    return sorted(path for path in set(listing.splitlines()) if (ROOT / path).is_file())


def cpp_list() -> Path:
    """A file with the names of the C++ files: a command line with all of them hides what follows it."""
    file = ROOT / "build" / "lint" / "cpp-files.txt"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(cpp_files()) + "\n")
    return file
