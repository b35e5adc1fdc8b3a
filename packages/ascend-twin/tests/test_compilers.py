# SPDX-License-Identifier: BSD-3-Clause
"""The twin built by the other host compiler: a part of its tests in a process of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ascend_twin.build import compiler

HERE = Path(__file__).resolve().parent

# Scalar half arithmetic and conversions, vector, cube and movement instructions, templates, fibers and findings.
PART = [
    "api/test_cast.py",
    "api/test_matmul_calls.py",
    "api/test_refused.py",
    "test_planted_bugs.py",
    "test_matmul.py",
]


OTHER = "g++" if "clang" in compiler()[0] else "clang++"


@pytest.mark.parametrize("command", [OTHER])
def test_passes_with(command):
    if not shutil.which(command):
        pytest.skip(f"no {command} here")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *(HERE / p for p in PART)],
        env={**os.environ, "CXX": command},
        text=True,
        capture_output=True,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
