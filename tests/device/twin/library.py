# SPDX-License-Identifier: BSD-3-Clause
"""The twin's runtime in this process, the one that the device library is linked with."""

from __future__ import annotations

from ascend_twin import Machine

from tests.support import backend


def machine() -> Machine:
    """The machine whose findings and recordings are those of the device library."""
    backend.package("v3")._C.describe_device()  # loads the library, and the runtime with it
    return Machine.get()
