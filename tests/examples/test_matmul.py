# SPDX-License-Identifier: BSD-3-Clause
"""The example kernel is clean under the twin's checker, by the command that its documentation gives."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.support.paths import ROOT

COMMAND = str(Path(sys.executable).with_name("ascend-twin"))


def test_matmul_is_clean() -> None:
    command = [COMMAND, "check", "examples/matmul/matmul.cpp", "--json"]
    done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "matmul_f16" in done.stdout and json.loads(done.stdout)
