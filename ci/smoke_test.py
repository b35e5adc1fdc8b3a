# SPDX-License-Identifier: BSD-3-Clause
"""Builds the smoke test: a program that runs the cpu backend without Python.

    python -m ci.smoke_test BUILD_DIR                                   prints the path of the program
    CXX=aarch64-linux-gnu-g++ python -m ci.smoke_test BUILD_DIR         the same for another machine

The environment variables are those of buildtools/extension.py; kernels-common is on PYTHONPATH. BUILD_DIR is relative
to the repository or absolute.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from buildtools import sources
from buildtools.extension import Options
from buildtools.ninja_writer import Target, build, locked
from buildtools.toolchain import ToolchainError, find_toolchain

from .packages import ROOT

PROGRAM = "tests/kernels/cpu/smoke_test"

LINK_FLAGS = {"release": (), "debug": (), "sanitize": ("-fsanitize=address,undefined",)}


def build_smoke_test(build_dir: str) -> Path:
    """Compiles the smoke test for the machine that CXX compiles for."""
    options = Options.from_environ(os.environ)
    toolchain = find_toolchain()
    main = [sources.Source(path) for path in sources.glob(ROOT, f"{PROGRAM}/*.cpp")]
    if not main:
        raise ToolchainError(f"There is no {PROGRAM}/*.cpp")
    target = Target(
        output="smoke_test",
        sources=[*main, *sources.backend_sources(ROOT, toolchain.machine, options.test_isas)],
        compile_flags=sources.common_flags(options.kind, options.test_isas),
        link_flags=("-pthread", *LINK_FLAGS[options.kind]),
    )
    with locked(ROOT / build_dir):
        return build(toolchain, target, ROOT, build_dir, options.jobs)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        print(build_smoke_test(sys.argv[1]))
    except ToolchainError as error:
        sys.exit(str(error))
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
