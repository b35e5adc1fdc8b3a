# SPDX-License-Identifier: BSD-3-Clause
"""Both wheels in one process: they are two modules with two of everything, whichever is imported first."""

from __future__ import annotations

import ctypes
import importlib
import importlib.metadata
import subprocess
import sys

import pytest
import torch

from benchmarks.compare.cases import for_api, quick_cases
from benchmarks.compare.compare import VERSIONS, judge
from tests.support.harness import check

MODULES = {version: f"flash_attn_npu_{version}" for version in VERSIONS}
ORDERS = [VERSIONS, VERSIONS[::-1]]

# Imports in the given order, calls both, and prints the sum of each result.
CALL_BOTH = """
import importlib, sys, torch
modules = [importlib.import_module(name) for name in sys.argv[1:]]
torch.manual_seed(0)
q, k, v = torch.randn(2, 1, 8, 64), torch.randn(2, 96, 2, 64), torch.randn(2, 96, 2, 64)
results = {module.__name__: module.flash_attn_with_kvcache(q, k, v).double().sum().item() for module in modules}
print(*(results[name].hex() for name in sorted(results)))
"""


def run_python(code: str, *arguments: str) -> str:
    result = subprocess.run([sys.executable, "-c", code, *arguments], text=True, capture_output=True)
    assert result.returncode == 0, f"exit code {result.returncode}\n{result.stdout}{result.stderr}"
    return result.stdout


def test_two_extension_modules() -> None:
    extensions = [importlib.import_module(f"{name}._C") for name in MODULES.values()]
    assert extensions[0] is not extensions[1]
    assert extensions[0].__file__ != extensions[1].__file__
    assert [extension.__name__ for extension in extensions] == [f"{name}._C" for name in MODULES.values()]


def test_two_copies_of_the_shared_python() -> None:
    operators = [importlib.import_module(f"{name}._common.operators") for name in MODULES.values()]
    assert operators[0] is not operators[1]
    assert operators[0].Operator is not operators[1].Operator


def test_own_operator_namespaces() -> None:
    for name in MODULES.values():
        importlib.import_module(name)
        overload = getattr(torch.ops, name).flash_attn_with_kvcache.default
        assert overload._schema.name == f"{name}::flash_attn_with_kvcache"


def test_own_distributions() -> None:
    for version, name in MODULES.items():
        distribution = importlib.metadata.version(f"flash-attn-npu-{version}")
        assert distribution == importlib.import_module(name).__version__


@pytest.mark.parametrize("name", MODULES.values())
def test_an_extension_exports_nothing_that_could_clash(name: str) -> None:
    path = importlib.import_module(f"{name}._C").__file__
    assert path is not None
    listing = subprocess.run(["nm", "-D", "--defined-only", path], text=True, capture_output=True, check=True).stdout
    exported = {line.split()[-1] for line in listing.splitlines()}
    assert exported == {"PyInit__C"}


@pytest.mark.parametrize("order", ORDERS, ids="-".join)
def test_import_order_does_not_matter(order: tuple[str, ...]) -> None:
    together = run_python(CALL_BOTH, *(MODULES[version] for version in order)).split()
    alone = [run_python(CALL_BOTH, MODULES[version]).strip() for version in VERSIONS]
    assert together == alone


@pytest.mark.parametrize("order", ORDERS, ids="-".join)
def test_no_clash_when_symbols_are_global(order: tuple[str, ...]) -> None:
    """As in programs that load their extensions with RTLD_GLOBAL, where equal names would be merged."""
    code = f"import sys; sys.setdlopenflags({ctypes.RTLD_GLOBAL | 2})\n{CALL_BOTH}"
    together = run_python(code, *(MODULES[version] for version in order)).split()
    alone = [run_python(CALL_BOTH, MODULES[version]).strip() for version in VERSIONS]
    assert together == alone


@pytest.mark.parametrize("name", list(quick_cases()))
def test_the_same_inputs_give_the_same_bits(name: str) -> None:
    judge(quick_cases()[name])


def test_calls_in_turns_do_not_disturb_each_other() -> None:
    """Thread pools and scratch memory of one wheel are not those of the other."""
    case = quick_cases()["append, rotary, bfloat16"]
    for _ in range(3):
        for version in VERSIONS:
            check(for_api(case, version))
