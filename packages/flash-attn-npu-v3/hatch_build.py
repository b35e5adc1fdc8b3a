"""Build hook of hatchling: compiles the extension module and puts it into the wheel."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGE = "flash_attn_npu_v3"


class ExtensionBuildHook(BuildHookInterface):
    """The work is done in kernels-common/build, which both packages share."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before it collects files; `version` is "standard" or "editable"."""
        root = Path(self.root)
        if self.target_name == "sdist":
            # In the repository LICENSE is a symlink to the one at the root; the archive needs the file.
            included = build_data["force_include"].items()
            build_data["force_include"] = {os.path.realpath(source): target for source, target in included}
            return

        sys.path.insert(0, str(root / "kernels-common" / "build"))
        from extension import MODULE_FILE, WHEEL_TAG, build_extension
        from toolchain import ToolchainError

        try:
            module = build_extension(root)
        except ToolchainError as error:
            self.app.abort(str(error))
        except subprocess.CalledProcessError:
            self.app.abort(f"The C++ compile of {PACKAGE} failed: the compiler's messages are above.")

        build_data["pure_python"] = False
        build_data["tag"] = WHEEL_TAG
        if version == "editable":
            # Replaced in one step: a process that has the old module loaded keeps its file.
            fresh = root / "src" / PACKAGE / f"{MODULE_FILE}.new"
            fresh.write_bytes(module.read_bytes())
            os.replace(fresh, fresh.with_name(MODULE_FILE))
        else:
            build_data["force_include"][str(module)] = f"{PACKAGE}/{MODULE_FILE}"
