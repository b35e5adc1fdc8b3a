# SPDX-License-Identifier: BSD-3-Clause
"""Environments of the sessions: what is installed into which, and how programs run in them."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Optional

import nox

from .packages import ROOT

PROJECT = nox.project.load_toml(ROOT / "pyproject.toml")

# With torch an environment takes a gigabyte and half a minute. Sessions that need all wheels therefore share this one:
# they have no environment of their own (venv_backend="none").
SHARED = ROOT / ".nox" / "all-wheels"

# Programs of the repository find its packages in the root, where they run, and `buildtools` here.
PYTHONPATH = "kernels-common"


def requirements(*groups: str) -> list[str]:
    """The requirements of dependency groups in pyproject.toml."""
    return list(dict.fromkeys(nox.project.dependency_groups(PROJECT, *groups)))


def output_dir(session: nox.Session) -> Path:
    """build/<session>/, where a session leaves its results."""
    directory = ROOT / "build" / session.name
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def python(
    session: nox.Session, *arguments: str | Path, env: Optional[dict[str, str]] = None, silent: bool = False
) -> None:
    """Runs the session's own python, or that of the shared environment in a session that has none.

    Args:
        session: The session.
        arguments: Of python.
        env: Variables beyond those of this process. PYTHONPATH is what comes before kernels-common.
        silent: Shows the output only when the program fails.
    """
    program = "python"
    if session.venv_backend == "none":
        program = str(SHARED / "bin" / "python")
        if not Path(program).exists():
            session.run(sys.executable, "-m", "venv", "--clear", SHARED, external=True)
    env = dict(env or {})
    env["PYTHONPATH"] = os.pathsep.join(filter(None, [env.get("PYTHONPATH", ""), PYTHONPATH]))
    session.run(program, *arguments, env=env, silent=silent, external=True)


def install(session: nox.Session, *arguments: str | Path) -> None:
    """`pip install` into the environment that `python` uses."""
    python(session, "-m", "pip", "install", "-q", *arguments)
