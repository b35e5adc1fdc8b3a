# SPDX-License-Identifier: BSD-3-Clause
"""Build hook of hatchling: the one that both packages share, loaded from kernels-common."""

import importlib.util
import sys
from pathlib import Path

BUILDTOOLS = Path(__file__).resolve().parent / "kernels-common" / "buildtools"


def _load(name: str, directory: Path):
    """Imports the package `name` from `directory`, which is on no import path."""
    spec = importlib.util.spec_from_file_location(name, directory / "__init__.py", submodule_search_locations=[str(directory)])
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)


_load("buildtools", BUILDTOOLS)

from buildtools.wheel_hook import ExtensionBuildHook  # noqa: E402, F401
