# SPDX-License-Identifier: BSD-3-Clause
"""Which session runs which tests, and how."""

from __future__ import annotations

from typing import Optional

import nox

from .environments import install, output_dir, python, requirements
from .packages import Package, chosen
from .wheels import install_release_wheels

# Every directory of tests is in one of these (tests/build/test_sessions.py).
API = "tests/api"
BUILD = "tests/build"
RELEASE = "tests/release"
ASCEND_KERNELS = "tests/kernels/ascend"
DEVICE_ON_TWIN = "tests/device/twin"
DEVICE_ON_NPU = "tests/device/npu"
COMMON = ("tests/support", "tests/kernels/cpu", "tests/benchmarks", "tests/examples")
TWIN = "packages/ascend-twin/tests"
DIRECTORIES = (API, BUILD, RELEASE, ASCEND_KERNELS, DEVICE_ON_TWIN, DEVICE_ON_NPU, *COMMON, TWIN)


def run_tests(session: nox.Session, *arguments: str, env: Optional[dict[str, str]] = None) -> None:
    """Runs pytest on all cores."""
    python(session, "-m", "pytest", "-n", "auto", *arguments, env=env)


def test_api(session: nox.Session, package: Package) -> None:
    """The API's tests of one package, with only its own wheel installed."""
    install(session, *requirements("test"))
    install_release_wheels(session, package)
    run_tests(session, API, "--api", package.name, *session.posargs)


def install_all(session: nox.Session) -> None:
    """Brings the shared environment up to date: what tests and programs need, and all our wheels."""
    install(session, *requirements("test", "plot", "emulation"))
    install_release_wheels(session)


def run_program(session: nox.Session, module: str) -> None:
    """Runs a program of the repository with the session's arguments, all our wheels installed."""
    install_all(session)
    output_dir(session)
    python(session, "-m", module, *session.posargs)


def packages_of(session: nox.Session, among: tuple[Package, ...]) -> tuple[Package, ...]:
    """The packages that the session's arguments name, all of `among` by default."""
    try:
        return chosen(session.posargs, among)
    except ValueError as error:
        session.error(str(error))
