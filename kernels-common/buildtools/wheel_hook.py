# SPDX-License-Identifier: BSD-3-Clause
"""The packages' build hook: compiles the extension module, and the device library if there is a CANN toolkit.

Environment, beyond extension.py's:
    ASCEND_HOME_PATH: a CANN toolkit (its set_env.sh sets this). When set, the wheel carries _ascend910b.so.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

from .device import build_device
from .device_targets import LIBRARY
from .extension import WHEEL_TAG, build_extension
from .staging import KERNELS_DIR, staged
from .toolchain import ToolchainError

DEVICE = "ascend910b"
COMMON = "_common"
SET_SYMLINKS = "git config core.symlinks true && git checkout -- packages"


class ExtensionBuildHook(BuildHookInterface):
    """Found by hatchling through the packages' hatch_build.py."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before it collects files; `version` is "standard" or "editable"."""
        package = self.metadata.name.replace("-", "_")
        source = Path(self.root, "src", package)
        common = source / COMMON
        if not common.is_dir():
            if self.target_name == "sdist" or version == "editable":
                what = "An sdist" if self.target_name == "sdist" else "An editable install"
                self.app.abort(f"{what} needs a checkout with symlinks, and {common} is none:  {SET_SYMLINKS}")
            common = KERNELS_DIR / "python" / "flash_attn_npu_common"
        if self.target_name == "sdist":
            return
        try:
            binaries = list(self.build())
        except ToolchainError as error:
            self.app.abort(str(error))
        except subprocess.CalledProcessError:
            self.app.abort(f"The C++ compile of {package} failed: the compiler's messages are above.")

        build_data["pure_python"] = False
        build_data["tag"] = WHEEL_TAG
        build_data["force_include"][str(common)] = f"{package}/{COMMON}"
        for binary in binaries:
            if version == "editable":
                # Replaced in one step: a process that has the old module loaded keeps its file.
                fresh = source / f"{binary.name}.new"
                fresh.write_bytes(binary.read_bytes())
                os.replace(fresh, fresh.with_name(binary.name))
            else:
                build_data["force_include"][str(binary)] = f"{package}/{binary.name}"

    def build(self) -> Iterator[Path]:
        """Compiles; yields the files that go into the package."""
        root = staged(Path(self.root), os.environ)
        yield build_extension(root)
        if not os.environ.get("ASCEND_HOME_PATH", "").strip():
            return
        try:
            yield build_device(root / "build" / DEVICE, root)
        except ToolchainError as error:
            raise ToolchainError(
                f"{error}\nASCEND_HOME_PATH asks for {LIBRARY}; without it, the wheel has the cpu backend."
            ) from None
