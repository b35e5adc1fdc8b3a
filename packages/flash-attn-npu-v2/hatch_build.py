# SPDX-License-Identifier: BSD-3-Clause
"""Build hook of hatchling: the one that both packages share, loaded from kernels-common."""

import importlib.util
import sys
from pathlib import Path

LINK = Path(__file__).resolve().parent / "kernels-common"
# Where git could not make symlinks (core.symlinks=false) the file holds what the link would point to.
kernels = LINK.parent / LINK.read_text().strip() if LINK.is_file() else LINK
if not (kernels / "buildtools").is_dir():
    sys.exit(
        f"{LINK} leads nowhere. This directory is a copy without the repository around it: pip before 21.3 makes one. "
        "Update pip (python -m pip install -U pip), or pass --use-feature=in-tree-build, or install from an sdist."
    )

# By its file: the directory is on no import path. No bytecode: a build writes nothing beside the sources.
sys.dont_write_bytecode = True
spec = importlib.util.spec_from_file_location("buildtools", kernels.resolve() / "buildtools" / "__init__.py")
assert spec is not None and spec.loader is not None
sys.modules["buildtools"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(sys.modules["buildtools"])

from buildtools.wheel_hook import ExtensionBuildHook  # noqa: E402, F401
