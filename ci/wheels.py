# SPDX-License-Identifier: BSD-3-Clause
"""Builds our wheels for the tests, and puts them into environments."""

from __future__ import annotations

import shutil
from pathlib import Path

import nox

from .environments import install, python
from .packages import PACKAGES, ROOT, Package


def build_wheel(session: nox.Session, package: Package, kind: str = "release", test_isas: bool = False) -> Path:
    """Builds one wheel from the package's directory (incrementally) and returns its path."""
    directory = ROOT / "build" / "wheels" / f"{package.name}-{kind}{'-test-isas' if test_isas else ''}"
    shutil.rmtree(directory, ignore_errors=True)
    environ = {"FLASH_ATTN_NPU_BUILD_TYPE": kind, "FLASH_ATTN_NPU_TEST_ISAS": "1" if test_isas else "0"}
    source = package.directory.relative_to(ROOT)
    python(session, "-m", "pip", "wheel", "-q", "--no-deps", "-w", directory, f"./{source}", env=environ)
    (wheel,) = directory.glob("*.whl")
    return wheel


def install_release_wheels(session: nox.Session, *packages: Package) -> None:
    """Installs freshly built wheels. Their version is the one already installed, hence the force."""
    wheels = [build_wheel(session, package) for package in packages or PACKAGES]
    install(session, "--no-deps", "--force-reinstall", *wheels)


def unpack_wheel(session: nox.Session, package: Package, wheel: Path, directory: Path) -> dict[str, str]:
    """Installs a wheel of a special kind beside the environment; returns the variables that put it first."""
    shutil.rmtree(directory, ignore_errors=True)
    python(session, "-m", "pip", "install", "-q", "--no-deps", "--target", directory, wheel)
    return {"PYTHONPATH": str(directory)}


def check_import(session: nox.Session, package: Package, env: dict[str, str]) -> None:
    """Fails unless the tests to come will import the special build and not the release wheel."""
    code = (
        f"import {package.module} as module, os; path = os.path.realpath(module.__file__);"
        f"expected = os.path.realpath({env['PYTHONPATH']!r});"
        "assert path.startswith(expected), f'{path} was imported, and not the build in {expected}'"
    )
    python(session, "-c", code, env=env, silent=True)
