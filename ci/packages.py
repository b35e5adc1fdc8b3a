# SPDX-License-Identifier: BSD-3-Clause
"""The packages of this repository: the one list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Package:
    """One wheel.

    Attributes:
        name: How sessions call it: "v2".
        distribution: How pip calls it: "flash-attn-npu-v2".
        compiled: Whether its wheel holds machine code. One without is never repaired.
    """

    name: str
    distribution: str
    compiled: bool = True

    @property
    def module(self) -> str:
        """How `import` calls it."""
        return self.distribution.replace("-", "_")

    @property
    def directory(self) -> Path:
        """Where its pyproject.toml is."""
        return ROOT / "packages" / self.distribution

    @property
    def source(self) -> Path:
        """The directory of the Python package itself."""
        return self.directory / "src" / self.module


PACKAGES = (
    Package("v2", "flash-attn-npu-v2"),
    Package("v3", "flash-attn-npu-v3"),
    Package("twin", "ascend-twin", compiled=False),
)
ATTENTION = tuple(package for package in PACKAGES if package.compiled)


def named(name: str) -> Package:
    """The package that a session, pip or import calls `name`.

    Raises:
        ValueError: there is none; the message lists the names.
    """
    for package in PACKAGES:
        if name in (package.name, package.distribution, package.module):
            return package
    raise ValueError(f"there is no package {name}: expected {', '.join(package.name for package in PACKAGES)}")


def chosen(names: Sequence[str], among: Sequence[Package] = PACKAGES) -> tuple[Package, ...]:
    """The packages that a command line names; all of `among` when it names none.

    Raises:
        ValueError: a name of no package in `among`.
    """
    packages = tuple(named(name) for name in names) or tuple(among)
    for package in packages:
        if package not in among:
            raise ValueError(f"{package.name} is not for this session: expected {', '.join(p.name for p in among)}")
    return packages
