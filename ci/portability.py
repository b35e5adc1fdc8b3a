# SPDX-License-Identifier: BSD-3-Clause
"""A test subset on each SIMD level that the CPU can run, by force, and smoke tests on aarch64 under qemu-user."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import nox

from .environments import install, output_dir, python, requirements
from .packages import ATTENTION, PACKAGES, Package
from .testing import API, packages_of, run_tests
from .wheels import build_wheel, check_import, install_release_wheels, unpack_wheel

# ISA levels that are forced one by one; the sources know them by the same names.
_AVX512 = ("avx512f", "avx512bw", "avx512dq", "avx512vl")
_AVX512_BF16 = (*_AVX512, "avx512_bf16")
FORCED_ISAS = {  # what /proc/cpuinfo must list for a level to run
    "portable": (),
    "avx2": ("avx2", "fma", "f16c"),
    "avx512": _AVX512,
    "avx512_bf16": _AVX512_BF16,
    "amx_emulated": _AVX512_BF16,
    "amx_bf16": (*_AVX512_BF16, "amx_tile", "amx_bf16"),
}

CROSS_COMPILER = "aarch64-linux-gnu-g++"
CROSS_EMULATOR = "qemu-aarch64"
CROSS_LIBRARIES = "/usr/aarch64-linux-gnu"  # where Debian's cross compiler keeps the other machine's libc
CROSS_PACKAGES = ("g++-aarch64-linux-gnu", "qemu-user")

TWIN_SMOKE_TEST = "packages/ascend-twin/tests/smoke_test.cpp"


def portable(session: nox.Session) -> None:
    """The smoke tests here and on aarch64, then the tests marked `portable` on every level."""
    packages = packages_of(session, ATTENTION)
    install(session, *requirements("test", "plot", "emulation"))
    install_release_wheels(session, *(package for package in PACKAGES if not package.compiled))
    run_smoke_tests(session, "native", {})
    run_aarch64_smoke_tests(session)
    failed = [level for package in packages for level in run_levels(session, package)]
    if failed:
        session.error(f"Failed: {', '.join(failed)}")


def run_levels(session: nox.Session, package: Package) -> list[str]:
    """Runs one package's tests on each level; returns those that failed."""
    wheel = build_wheel(session, package, test_isas=True)
    env = unpack_wheel(session, package, wheel, output_dir(session) / f"site-{package.name}")
    check_import(session, package, env)
    failed = []
    for isa, needed in FORCED_ISAS.items():
        missing = [flag for flag in needed if flag not in cpu_flags()]
        if missing:
            session.warn(f"NOT RUN: {isa} on {package.name}: this CPU has no {', '.join(missing)}")
            continue
        session.log(f"{package.name}, ISA level {isa}")
        forced = {**env, "FLASH_ATTN_NPU_CPU_ISA": isa}
        try:
            run_tests(session, "-m", "portable", API, "--api", package.name, env=forced)
        except nox.command.CommandFailed:
            failed.append(f"{package.name} on {isa}")  # a fault of one level and a fault of all are different findings
    return failed


def run_aarch64_smoke_tests(session: nox.Session) -> None:
    """Cross-compiles and runs the smoke tests; root on a Debian installs what that takes."""
    if not all(shutil.which(program) for program in (CROSS_COMPILER, CROSS_EMULATOR)):
        if os.geteuid() == 0 and shutil.which("apt-get"):
            session.run("apt-get", "update", "-qq", external=True)
            session.run("apt-get", "install", "-y", "-qq", *CROSS_PACKAGES, external=True, silent=True)
        else:
            session.warn(f"NOT RUN: aarch64 under qemu-user. It needs: apt-get install {' '.join(CROSS_PACKAGES)}")
            return
    run_smoke_tests(session, "aarch64", {"CXX": CROSS_COMPILER}, CROSS_EMULATOR, "-L", CROSS_LIBRARIES)


def run_smoke_tests(session: nox.Session, name: str, env: dict[str, str], *emulator: str) -> None:
    """Compiles the stand-alone smoke tests of the cpu backend and of the twin and runs them."""
    directory = f"build/{session.name}/smoke-test-{name}"
    python(session, "-m", "ci.smoke_test", directory, env=env)
    session.run(*emulator, f"{directory}/smoke_test", external=True)
    python(session, "-m", "ascend_twin.program", TWIN_SMOKE_TEST, f"{directory}/twin_smoke_test", env=env)
    session.run(*emulator, f"{directory}/twin_smoke_test", external=True)


def cpu_flags() -> set[str]:
    """Instruction sets of this CPU by the kernel's names; empty where /proc/cpuinfo has none (aarch64)."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("flags"):
            return set(line.split(":", 1)[1].split())
    return set()
