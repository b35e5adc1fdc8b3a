"""Build hook of hatchling: the one that both packages share."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "kernels-common" / "build"))

from wheel_hook import ExtensionBuildHook  # noqa: E402, F401
