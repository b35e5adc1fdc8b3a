# SPDX-License-Identifier: BSD-3-Clause
"""What the checks of the lint session share: findings, the files they look at, how they report."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .packages import ROOT

CPP = (".cpp", ".h", ".cc")


@dataclass(frozen=True)
class Finding:
    path: Path
    line: int
    text: str

    def __str__(self) -> str:
        path = self.path.relative_to(ROOT) if self.path.is_relative_to(ROOT) else self.path
        return f"{path}:{self.line}: {self.text}"


def tracked(suffixes: tuple[str, ...]) -> list[Path]:
    """The files with one of the suffixes that git tracks or would track; links count once."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listing = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=True).stdout
    paths = (ROOT / name for name in sorted(set(listing.split("\0"))) if name)
    return [path for path in paths if path.suffix in suffixes and path.is_file() and not path.is_symlink()]


def checked(paths: Sequence[Path], findings: Callable[[Path, str], Iterable[Finding]]) -> int:
    """Prints what `findings` says of each file and its text; the exit status of the check."""
    found = [finding for path in paths for finding in findings(path, path.read_text(encoding="utf-8"))]
    for finding in found:
        print(finding)
    print(f"{len(paths)} files, {len(found)} findings")
    return 1 if found else 0
