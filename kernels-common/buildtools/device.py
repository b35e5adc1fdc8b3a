# SPDX-License-Identifier: BSD-3-Clause
"""Builds the device library: the Ascend kernels and their host half, one C ABI (backend.h), by CANN's compiler.

    PYTHONPATH=kernels-common python -m buildtools.device OUT_DIR     OUT_DIR/_ascend910b.so: by bisheng, for an NPU

Prints the path of the library. Incremental: touching one kernel compiles one kernel. Environment: MAX_JOBS as for
extension.py; ASCEND_HOME_PATH names the CANN toolkit.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from . import device_targets
from .cann import find_cann
from .extension import Options
from .ninja_writer import locked, run_ninja, write_if_changed
from .toolchain import ToolchainError

ROOT = Path(__file__).resolve().parents[2]


def build_device(out: Path, root: Path = ROOT) -> Path:
    """Builds the library into the directory `out`.

    Args:
        out: Where the library, the objects and build.ninja go.
        root: The directory that holds kernels-common: the repository or a package.

    Raises:
        ToolchainError: no usable CANN toolkit; the message says what was found and what is needed.
        subprocess.CalledProcessError: the compile failed; the compiler's messages went to stdout.
    """
    out = out.resolve()
    text = device_targets.ascend910b_ninja(root, str(out), find_cann(os.environ))
    with locked(out):
        write_if_changed(out / device_targets.EXPORTS_FILE, device_targets.EXPORTS)
        device_targets.write_instances(root, out)
        write_if_changed(out / "build.ninja", text)
        run_ninja(out / "build.ninja", root, Options.from_environ(os.environ).jobs)
    return out / device_targets.LIBRARY


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        print(build_device(Path(sys.argv[1])))
    except ToolchainError as error:
        sys.exit(str(error))
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
