# SPDX-License-Identifier: BSD-3-Clause
"""The examples in the public docstrings run and print what they say."""

from __future__ import annotations

import doctest
import importlib
import importlib.resources

import pytest

from tests.support import backend


def test_examples_in_docstrings(api: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLASH_ATTN_NPU_BACKEND", "cpu")  # float32, which the device has not
    package = backend.package(api)
    interface = importlib.import_module(f"{package.__name__}.flash_attn_interface")
    examples = {test.name: test for test in doctest.DocTestFinder().find(interface) if test.examples}
    functions = {f"{interface.__name__}.{name}" for name in interface.__all__}
    assert set(examples) == functions
    runner = doctest.DocTestRunner()
    for test in examples.values():
        assert runner.run(test).failed == 0, test.name


def test_typed(api: str) -> None:
    """Every public function is annotated, and type checkers are told so."""
    package = backend.package(api)
    assert (importlib.resources.files(package) / "py.typed").is_file()
    interface = importlib.import_module(f"{package.__name__}.flash_attn_interface")
    for name in interface.__all__:
        function = getattr(interface, name)
        parameters = function.__code__.co_varnames[: function.__code__.co_argcount]
        assert set(function.__annotations__) == {*parameters, "return"}, name
