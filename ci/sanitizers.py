# SPDX-License-Identifier: BSD-3-Clause
"""A test subset under AddressSanitizer and UBSan."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import nox

from .environments import install, output_dir, requirements
from .packages import ATTENTION, ROOT
from .testing import API, packages_of, run_tests
from .wheels import build_wheel, check_import, unpack_wheel


def sanitize(session: nox.Session) -> None:
    """Runs the tests marked `sanitize` on wheels of the kind "sanitize"; any report is a failure."""
    install(session, *requirements("test", "plot"))
    libraries = [compiler_file(session, name) for name in ("libasan.so", "libubsan.so", "libstdc++.so")]
    for package in packages_of(session, ATTENTION):
        reports = output_dir(session) / f"reports-{package.name}"
        shutil.rmtree(reports, ignore_errors=True)
        reports.mkdir()
        wheel = build_wheel(session, package, kind="sanitize", test_isas=True)
        env = unpack_wheel(session, package, wheel, output_dir(session) / f"site-{package.name}")
        env.update(sanitizer_env(libraries, reports))
        check_import(session, package, env)
        try:
            run_tests(session, "-m", "sanitize", API, "--api", package.name, env=env)
        finally:
            for report in sorted(reports.iterdir()):
                session.log(f"--- {report.relative_to(ROOT)}\n{report.read_text(errors='replace')}")
        if any(reports.iterdir()):
            session.error("The sanitizers reported the errors above.")


def sanitizer_env(libraries: list[str], reports: Path) -> dict[str, str]:
    """Variables of a process whose extension module is built with the sanitizers."""
    # libstdc++ is preloaded too: python does not link it, and ASan looks up __cxa_throw once, at start.
    # Reports go to files: what a crashing xdist worker writes to stderr is lost.
    return {
        "LD_PRELOAD": " ".join(libraries),
        "ASAN_OPTIONS": f"detect_leaks=0:log_path={reports}/asan",
        "UBSAN_OPTIONS": f"print_stacktrace=1:log_path={reports}/ubsan",
    }


def compiler_file(session: nox.Session, name: str) -> str:
    """Path of a library of the compiler that builds the extension."""
    compiler = os.environ.get("CXX", "g++")
    path = subprocess.run(
        [*compiler.split(), f"-print-file-name={name}"], text=True, capture_output=True
    ).stdout.strip()
    if not os.path.isabs(path):
        session.error(f"{compiler} has no {name}: install the sanitizer runtimes (libasan, libubsan).")
    return path
