# SPDX-License-Identifier: BSD-3-Clause
"""Build hook of hatchling: the one that both packages share, loaded from kernels-common."""

import importlib.util
import sys
from pathlib import Path

BUILDTOOLS = Path(__file__).resolve().parent / "kernels-common" / "buildtools"

# By its file: the directory is on no import path, and hatchling asks for nothing to be installed before.
spec = importlib.util.spec_from_file_location("buildtools", BUILDTOOLS / "__init__.py")
assert spec is not None and spec.loader is not None
sys.modules["buildtools"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(sys.modules["buildtools"])

from buildtools.wheel_hook import ExtensionBuildHook  # noqa: E402, F401
