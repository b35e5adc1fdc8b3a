# SPDX-License-Identifier: BSD-3-Clause
"""Why torch_npu does not load, in one sentence. Imports no torch: where torch_npu is broken, that may fail too."""

from __future__ import annotations

import importlib.metadata


def explain(package: str, error: BaseException) -> ImportError:
    """The exception for an import of `package` that failed because torch could not load torch_npu by itself."""
    return ImportError(
        f"{package} cannot import torch, which loads torch_npu by itself: {reason(error)}. "
        "TORCH_DEVICE_BACKEND_AUTOLOAD=0 leaves torch_npu alone, for use on the cpu"
    )


def reason(error: BaseException) -> str:
    """What was found and what is needed, from the exception that torch_npu's import ended with."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = str(error).strip().splitlines()
    first = lines[0] if lines else type(error).__name__
    text = f"{installed('torch_npu')} does not load with {installed('torch')}: {first}"
    if "cannot open shared object file" in first:
        return f"{text}. CANN is needed: install it and source its set_env.sh"
    return f"{text}. torch_npu X.Y needs torch X.Y and the CANN of its release notes"


def installed(distribution: str) -> str:
    """`name version` of an installed distribution."""
    try:
        return f"{distribution} {importlib.metadata.version(distribution.replace('_', '-'))}"
    except importlib.metadata.PackageNotFoundError:
        return distribution
