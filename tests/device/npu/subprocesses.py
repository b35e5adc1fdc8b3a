# SPDX-License-Identifier: BSD-3-Clause
"""Python code in a process of its own: for what ends the process, and for settings that are read once."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

from tests.support.paths import ROOT


def run(
    code: str, prelude: str = "import torch\n", timeout: float = 240, **env: str
) -> subprocess.CompletedProcess[str]:
    """Runs `code` with torch, which loads torch_npu, imported before; a value "" removes a variable."""
    merged = {
        **os.environ,
        "ASCEND_TWIN_ACL_REPORT": "",
        "PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}",
        **env,
    }
    merged = {name: value for name, value in merged.items() if value != ""}
    return subprocess.run(
        [sys.executable, "-c", prelude + textwrap.dedent(code)],
        env=merged,
        text=True,
        capture_output=True,
        timeout=timeout,
    )


def output_of(code: str, **env: str) -> str:
    """Standard output of code that must end well, without torch_npu's remark that there is no CANN."""
    done = run(code, **env)
    assert done.returncode == 0, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    lines = done.stdout.splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("Warning: ASCEND_HOME_PATH"))


def last_words_of(code: str, **env: str) -> str:
    """Standard error of code that must abort."""
    done = run(code, **env)
    assert done.returncode == -6, f"expected SIGABRT, got exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stderr
