# SPDX-License-Identifier: BSD-3-Clause
"""README.md: its commands print what it says, its Python runs."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

README = (Path(__file__).resolve().parents[1] / "README.md").read_text()
FENCE = re.compile(r"```(\w+)\n(.*?)```", re.S)


def test_first_kernel(tmp_path, monkeypatch):
    """Every block in order: the kernel, the finding, the mended kernel, the prediction, the same from Python."""
    pytest.importorskip("matplotlib")
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    source = tmp_path / "twice.cpp"
    ran = []
    for language, text in FENCE.findall(README):
        if language == "cpp" and not source.exists():
            source.write_text(text)
        elif language == "cpp":
            addition = re.search(r"^    Add\(.*\n", source.read_text(), re.M)
            source.write_text(source.read_text().replace(addition.group(), addition.group() + text))
        elif language == "console":
            command, _, expected = text.removeprefix("$ ").partition("\n")
            if not command.startswith("ascend-twin"):
                continue
            words = shlex.split(command)
            done = subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, text=True)
            assert done.stdout == expected, done.stderr
            ran.append((words[1], done.returncode))
        elif language == "python":
            monkeypatch.chdir(tmp_path)
            exec(compile(text, "README.md", "exec"), {})
    assert ran == [("check", 1), ("check", 0), ("simulate", 0)]
