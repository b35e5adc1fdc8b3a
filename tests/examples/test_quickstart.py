# SPDX-License-Identifier: BSD-3-Clause
"""The first example runs as its documentation says, on every API that is installed."""

from __future__ import annotations

import re
import subprocess
import sys

import torch

from tests.support import apis
from tests.support.paths import ROOT


def test_quickstart() -> None:
    command = [sys.executable, "-m", "examples.quickstart"]
    lines = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=True).stdout.splitlines()
    shown = [re.fullmatch(r"flash_attn_npu_(v\d): .* off from float64 by (\S+) at most", line) for line in lines]
    errors = {match[1]: float(match[2]) for match in shown if match}
    assert list(errors) == [version for version in apis.VERSIONS if apis.is_installed(version)]
    # Averages of 1000 normal values are below 1 by far. Rounding the probabilities and the result: half an eps each.
    assert all(0 < error <= torch.finfo(torch.bfloat16).eps for error in errors.values())
