# SPDX-License-Identifier: BSD-3-Clause
"""Compiles one Ascend C source for the twin: cube pass and vector pass in one relocatable object.

    python -m emulation.twin.object SOURCE OBJECT [compiler flags]

Writes OBJECT.d for ninja: every file that either pass read.
"""

from __future__ import annotations

import re
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ascend_twin import build, preprocess
from ascend_twin.build import BuildError

PASSES = ("cube", "vec")


def build_object(source: str, target: str, flags: list[str]) -> None:
    """Both passes of `source`, made self-contained and joined."""
    # Kernels are registered under this name when the library is loaded: two libraries in one process must not share it.
    identity = f'-DTWIN_BUILD_ID="{Path(target).resolve()}"'
    with tempfile.TemporaryDirectory() as directory:
        tmp = Path(directory)
        command = build.compiler()

        def compiled(name: str) -> tuple:
            return build.build_pass(command, name, Path(source), [*flags, identity], tmp)

        with ThreadPoolExecutor(max_workers=len(PASSES)) as pool:
            passes = list(pool.map(compiled, PASSES))
        build.run([build.tool(command, "ld"), "-r", "-o", target, *[one for one, _, _ in passes]])
        used = {name for p in PASSES for name in _files_named_in((tmp / f"{p}.ii").read_text())}
    files = [*sorted(used), *map(str, _tools())]
    Path(f"{target}.d").write_text(f"{target}: " + " ".join(name.replace(" ", "\\ ") for name in files) + "\n")


def _files_named_in(preprocessed: str) -> list[str]:
    names = re.findall(r'^# \d+ "([^"<]+)"', preprocessed, re.MULTILINE)
    return [name for name in names if Path(name).is_file()]


def _tools() -> list[Path]:
    return [Path(module) for module in (__file__, build.__file__, preprocess.__file__)]


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    try:
        build_object(sys.argv[1], sys.argv[2], sys.argv[3:])
    except BuildError as error:
        sys.exit(str(error))
