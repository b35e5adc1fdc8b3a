# SPDX-License-Identifier: BSD-3-Clause
"""Builds the device library for the twin: the Ascend kernels by g++, their host half, and the glue in this directory.

    python -m emulation.twin.build OUT_DIR       OUT_DIR/_twin.so; prints its path

Runs in the root of the repository, with ascend-twin installed and kernels-common on PYTHONPATH. Incremental: touching
one kernel compiles one kernel. Environment: CXX and MAX_JOBS as for the wheels.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from ascend_twin.build import INCLUDE, BuildError, runtime_library

from buildtools import device_targets, sources
from buildtools.device_targets import EXPORTS, EXPORTS_FILE, HOST_FLAGS, INCLUDE_FLAGS
from buildtools.extension import Options
from buildtools.ninja_writer import Ninja, locked, run_ninja, write_if_changed
from buildtools.toolchain import Toolchain, ToolchainError, find_toolchain

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = "_twin.so"
GLUE = "emulation/twin"


def host_sources(root: Path) -> list[str]:
    """The host half, with the twin in the place of the ACL runtime."""
    shared = [path for path in device_targets.host_sources(root) if not path.endswith("_acl.cpp")]
    return [*shared, *sources.glob(root, f"{GLUE}/*.cpp")]


def ninja_text(root: Path, out: str, toolchain: Toolchain, runtime: Path) -> str:
    """build.ninja of _twin.so, to be run in `root`.

    Args:
        root: The repository.
        out: Directory of objects and library.
        toolchain: The host compiler.
        runtime: The twin's runtime library.
    """
    ninja = Ninja(f"{GLUE}/build.py", out)
    flags = [*INCLUDE_FLAGS, f"-I{GLUE}", f"-I{INCLUDE}"]
    ninja.rule(
        "kernel",
        [sys.executable, "-m", "emulation.twin.object", "$in", "$out", *INCLUDE_FLAGS],
        "twin kernel $in",
        depfile=True,
    )
    ninja.rule(
        "host",
        [*toolchain.command, "-MD", "-MF", "$out.d", *HOST_FLAGS, *flags, "-c", "$in", "-o", "$out"],
        "compile $in",
        depfile=True,
    )
    link = ["-shared", "-pthread", f"-Wl,--version-script={out}/{EXPORTS_FILE}", "-Wl,-Bsymbolic", "-Wl,-z,defs"]
    link += [str(runtime), f"-Wl,-rpath,{runtime.parent}", "-ldl"]
    ninja.rule("link", [*toolchain.command, "$in", *link, "-o", "$out"], "link $out")
    objects = device_targets.kernel_objects(ninja, root, out)
    objects += [ninja.object(path, "host") for path in host_sources(root)]
    ninja.default(LIBRARY, "link", objects, implicit=[f"{out}/{EXPORTS_FILE}", str(runtime)])
    return ninja.text()


def build_twin(out: Path) -> Path:
    """Brings the library up to date and returns its path.

    Raises:
        ToolchainError: no usable compiler; the message says what was found and what is needed.
        subprocess.CalledProcessError: the compile failed; the compiler's messages went to stdout.
    """
    out = out.resolve()
    try:
        runtime = runtime_library()
    except BuildError as error:
        raise ToolchainError(str(error)) from None
    text = ninja_text(ROOT, str(out), find_toolchain(), runtime)
    with locked(out):
        write_if_changed(out / EXPORTS_FILE, EXPORTS)
        device_targets.write_instances(ROOT, out)
        write_if_changed(out / "build.ninja", text)
        run_ninja(out / "build.ninja", ROOT, Options.from_environ(os.environ).jobs)
    return out / LIBRARY


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        print(build_twin(Path(sys.argv[1])))
    except ToolchainError as error:
        sys.exit(str(error))
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
