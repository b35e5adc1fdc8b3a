# SPDX-License-Identifier: BSD-3-Clause
"""Make an executable of an Ascend C source that has its own main().

python -m ascend_twin.program SOURCE TARGET [compiler flags]
CXX=aarch64-linux-gnu-g++ python -m ascend_twin.program ...      the same for another machine
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from .build import BuildError, build_kernel, compiler, run, runtime_library

# The builder renames main(), because most of its libraries are loaded by Python.
MAIN = 'extern "C" int twin_main(int, char**);\nint main(int argc, char** argv) { return twin_main(argc, argv); }\n'


def build_program(source: Path, target: Path, flags: Sequence[str] = ()) -> None:
    """Builds `source` and links it as `target`, which finds its libraries in the twin's cache.

    Raises:
        BuildError: no compiler, or its diagnostics.

    Example:
        >>> import subprocess
        >>> source = Path(tempfile.mkdtemp()) / "five.cpp"
        >>> count = source.write_text("int main() { return 5; }")
        >>> build_program(source, source.with_suffix(""))
        >>> subprocess.run([source.with_suffix("")]).returncode
        5
    """
    libraries = [build_kernel(source, flags).path, runtime_library()]
    with tempfile.TemporaryDirectory() as tmp:
        main = Path(tmp) / "main.cpp"
        main.write_text(MAIN)
        target.parent.mkdir(parents=True, exist_ok=True)
        run([*compiler(), main, "-o", target, *libraries, f"-Wl,-rpath,{libraries[0].parent}"])


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    try:
        build_program(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
    except BuildError as error:
        sys.exit(str(error))
