# SPDX-License-Identifier: BSD-3-Clause
"""Builds the smoke test: a program that runs the cpu backend without Python.

    python kernels-common/buildtools/program.py BUILD_DIR     prints the path of the program
    CXX=aarch64-linux-gnu-g++ python kernels-common/buildtools/program.py BUILD_DIR     the same for another machine

The environment variables are those of extension.py. BUILD_DIR is relative to the repository or absolute.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from . import sources
from .extension import Options
from .ninja_writer import Target, build, locked
from .toolchain import ToolchainError, find_toolchain

ROOT = Path(__file__).resolve().parents[2]

LINK_FLAGS = {"release": (), "debug": (), "sanitize": ("-fsanitize=address,undefined",)}


def build_smoke_test(build_dir: str) -> Path:
    """Compiles the smoke test for the machine that CXX compiles for."""
    options = Options.from_environ(os.environ)
    toolchain = find_toolchain()
    main = sources.smoke_test_sources(ROOT)
    if not main:
        raise ToolchainError(f"There is no {sources.SMOKE_TEST_DIR}/*.cpp")
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
