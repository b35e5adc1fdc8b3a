# SPDX-License-Identifier: BSD-3-Clause
"""Finds the CANN toolkit that compiles the Ascend kernels, and checks that it can."""

from __future__ import annotations

import platform
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from .toolchain import ToolchainError

# The first release whose bisheng compiles host and device code of a file together (-x asc) for dav-2201.
OLDEST = (8, 5)
# The release from which a kernel's type is inferred unless told otherwise; our kernels declare theirs.
INFERS_KERNEL_TYPE = (9, 0)

HOW_TO_INSTALL = (
    "Install the CANN toolkit 8.5 or newer (https://www.hiascend.com/software/cann) and run its set_env.sh, which sets "
    "ASCEND_HOME_PATH:  source /usr/local/Ascend/ascend-toolkit/set_env.sh"
)
COMPILER = "bisheng"


@dataclass(frozen=True)
class Cann:
    """A toolkit that passed the checks.

    Attributes:
        home: what ASCEND_HOME_PATH names.
        version: (major, minor).
        compiler: path of bisheng.
    """

    home: Path
    version: tuple[int, int]
    compiler: Path

    @property
    def include_dirs(self) -> list[Path]:
        """Of the Ascend C headers and of the ACL runtime; where they lie depends on the release."""
        candidates = (
            self.home / "compiler/tikcpp/include",
            self.home / _arch_dir() / "tikcpp/include",
            self.home / "include",
        )
        return [path for path in candidates if path.is_dir()]

    @property
    def library_dirs(self) -> list[Path]:
        candidates = (self.home / "lib64", self.home / _arch_dir() / "lib64")
        return [path for path in candidates if path.is_dir()]


def find_cann(environ: Mapping[str, str]) -> Cann:
    """The toolkit that ASCEND_HOME_PATH names.

    Raises:
        ToolchainError: the variable is not set or names no toolkit, no compiler, or a release that is too old.
    """
    named = environ.get("ASCEND_HOME_PATH", "").strip()
    if not named:
        raise ToolchainError(f"The Ascend kernels need CANN, and ASCEND_HOME_PATH is not set.\n{HOW_TO_INSTALL}")
    home = Path(named)
    if not home.is_dir():
        raise ToolchainError(f"ASCEND_HOME_PATH={named}: there is no such directory.\n{HOW_TO_INSTALL}")
    version = _version(home)
    if version is None:
        raise ToolchainError(
            f"ASCEND_HOME_PATH={named} holds no CANN toolkit: there is no {_arch_dir()}/ascend_toolkit_install.info "
            f"with a version in it, and the directory's name has none.\n{HOW_TO_INSTALL}"
        )
    if version < OLDEST:
        raise ToolchainError(
            f"CANN {version[0]}.{version[1]} in {named} is too old: {OLDEST[0]}.{OLDEST[1]} or newer is needed.\n"
            f"{HOW_TO_INSTALL}"
        )
    compiler = _compiler(home, environ.get("PATH"))
    if compiler is None:
        raise ToolchainError(
            f"CANN {version[0]}.{version[1]} in {named} has no {COMPILER} in bin/ or compiler/ccec_compiler/bin/, and "
            f"none is on PATH.\n{HOW_TO_INSTALL}"
        )
    return Cann(home, version, compiler)


def _arch_dir() -> str:
    return f"{platform.machine()}-linux"


def _version(home: Path) -> Optional[tuple[int, int]]:
    # The version.info files of the toolkit's parts count by another scheme.
    texts = [path.read_text() for path in sorted(home.glob(f"{_arch_dir()}/ascend_*_install.info"))]
    patterns = [re.search(r"^version=(\d+)\.(\d+)", text, re.MULTILINE) for text in texts]
    patterns.append(re.search(r"cann-(\d+)\.(\d+)", str(home.resolve())))
    for found in patterns:
        if found:
            return int(found.group(1)), int(found.group(2))
    return None


def _compiler(home: Path, path: Optional[str]) -> Optional[Path]:
    own = (home / "bin", home / "compiler/ccec_compiler/bin", home / _arch_dir() / "ccec_compiler/bin")
    for directory in own:
        if (directory / COMPILER).is_file():
            return directory / COMPILER
    found = shutil.which(COMPILER, path=path)
    return Path(found) if found else None
