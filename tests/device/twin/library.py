# SPDX-License-Identifier: BSD-3-Clause
"""The twin's runtime in this process, the one that the device library is linked with."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from tests.support import backend

ROOT = Path(__file__).resolve().parents[2]


def machine() -> Any:
    """The ascend_twin.Machine whose findings and recordings are those of the device library."""
    sys.path.insert(0, str(ROOT / "packages" / "ascend-twin" / "src"))
    from ascend_twin.machine import Machine

    backend.package("v3")._C.describe_device()  # loads the library, and the runtime with it
    return Machine.get()
