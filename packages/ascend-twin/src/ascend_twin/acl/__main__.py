# SPDX-License-Identifier: BSD-3-Clause
"""Build the emulated CANN libraries for the torch_npu that is installed in the running Python.

    python -m ascend_twin.acl OUT_DIR     prints the directory for LD_LIBRARY_PATH

Needs the packages torch, torch_npu and pyelftools (torch is not imported) and a C++ compiler.
"""

from __future__ import annotations

import sys
from pathlib import Path

from ..compiler import BuildError


def main(arguments: list[str]) -> str | int:
    """What sys.exit takes: 0, or a message."""
    if len(arguments) != 1 or arguments[0] in ("-h", "--help"):
        print(__doc__, file=sys.stdout if arguments else sys.stderr)
        return 0 if arguments else 2
    try:
        from .build import build_emulation

        print(build_emulation(Path(arguments[0])))
    except ModuleNotFoundError as error:
        return f"{error}: python -m ascend_twin.acl needs torch, torch_npu and pyelftools"
    except BuildError as error:
        return str(error)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
