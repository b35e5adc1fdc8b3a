# SPDX-License-Identifier: BSD-3-Clause
"""Examples in docstrings run, and every public name has one."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil

import ascend_twin
import pytest
from ascend_twin import arguments, build, corners, machine, operator_project, program, trace

MODULES = [m.name for m in pkgutil.iter_modules(ascend_twin.__path__, "ascend_twin.") if m.name[-8:] != "__main__"]
PUBLIC = [
    *(getattr(ascend_twin, name) for name in ascend_twin.__all__ if name not in ("EXAMPLE", "__version__")),
    ascend_twin.Kernel.__call__,
    ascend_twin.Machine.simulate,
    *(getattr(build, name) for name in build.__all__ if name != "INCLUDE"),
    arguments.parse,
    machine.c_functions,
    corners.corner_values,
    corners.corners,
    operator_project.tiling_structures,
    program.build_program,
    trace.short_report,
]


@pytest.mark.parametrize("name", ["ascend_twin", *MODULES])
def test_examples_run(name):
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0


@pytest.mark.parametrize("thing", PUBLIC, ids=lambda thing: thing.__qualname__)
def test_public_names_have_an_example(thing):
    assert ">>>" in (inspect.getdoc(thing) or "")
