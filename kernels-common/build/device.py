"""Builds the device library: the Ascend kernels and their host half, one C ABI (backend.h) from two compilers.

    python kernels-common/build/device.py twin OUT_DIR         OUT_DIR/_twin.so: kernels by g++, run on the twin
    python kernels-common/build/device.py ascend910b OUT_DIR   OUT_DIR/_ascend910b.so: kernels by bisheng, for an NPU

Prints the path of the library. Incremental: touching one kernel compiles one kernel. Environment: CXX and MAX_JOBS as
for extension.py; ASCEND_HOME_PATH names the CANN toolkit that ascend910b needs.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import device_targets
from cann import find_cann
from extension import Options
from ninja_writer import locked, run_ninja, write_if_changed
from toolchain import ToolchainError, find_toolchain

ROOT = Path(__file__).resolve().parents[2]


def build_device(kind: str, out: Path, root: Path = ROOT) -> Path:
    """Builds `kind` ("twin" or "ascend910b") into the directory `out`.

    Args:
        kind: Which compiler and runtime.
        out: Where the library, the objects and build.ninja go.
        root: The directory that holds kernels-common: the repository or a package.

    Raises:
        ToolchainError: no usable compiler or CANN toolkit; the message says what was found and what is needed.
        subprocess.CalledProcessError: the compile failed; the compiler's messages went to stdout.
    """
    out = out.resolve()
    if kind == "twin":
        text = device_targets.twin_ninja(root, str(out), find_toolchain(), _twin_runtime())
    else:
        text = device_targets.ascend910b_ninja(root, str(out), find_cann(os.environ))
    with locked(out):
        write_if_changed(out / device_targets.EXPORTS_FILE, device_targets.EXPORTS)
        write_if_changed(out / "build.ninja", text)
        run_ninja(out / "build.ninja", root, Options.from_environ(os.environ).jobs)
    return out / device_targets.LIBRARY[kind]


def _twin_runtime() -> Path:
    """The twin's model of the machine, built on first use."""
    sys.path.insert(0, str(ROOT / "kernels-common" / "twin"))
    from ascend_twin.build import BuildError, runtime_library

    try:
        return runtime_library()
    except BuildError as error:
        raise ToolchainError(str(error)) from None


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in device_targets.LIBRARY:
        sys.exit(__doc__)
    try:
        print(build_device(sys.argv[1], Path(sys.argv[2])))
    except ToolchainError as error:
        sys.exit(str(error))
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
