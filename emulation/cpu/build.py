# SPDX-License-Identifier: BSD-3-Clause
"""Builds the device library for tests of the host side (cpu_device.cc).

python -m emulation.cpu.build OUT_DIR     prints the path; OUT_DIR is relative to the repository
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from buildtools.ninja_writer import Target, build, locked
from buildtools.sources import Source, backend_sources, common_flags
from buildtools.toolchain import find_toolchain

ROOT = Path(__file__).resolve().parents[2]


def build_cpu_device(out_dir: str) -> Path:
    """Brings the library up to date and returns its path."""
    toolchain = find_toolchain()
    own = Source(str((Path(__file__).parent / "cpu_device.cc").relative_to(ROOT)))
    target = Target(
        output="_cpu_device.so",
        sources=[own, *backend_sources(ROOT, toolchain.machine, test_isas=False)],
        compile_flags=common_flags("release", test_isas=False),
        # Symbolic: the extension module has the same functions, and this library must use its own.
        link_flags=("-shared", "-Wl,-Bsymbolic", "-Wl,--no-undefined", "-pthread", "-ldl"),
    )
    with locked(ROOT / out_dir):
        return build(toolchain, target, ROOT, out_dir)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        print(build_cpu_device(sys.argv[1]))
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
