# SPDX-License-Identifier: BSD-3-Clause
"""Operators of flash_attn_npu_v2 under torch: schema, tracing, compilation, grad modes."""

from __future__ import annotations

import pytest

from tests.support import torch_integration as body

CASES = [pytest.param(case, id=name.replace(" ", "-")) for name, case in body.opcheck_cases("v2").items()]


@pytest.mark.parametrize("case", CASES)
def test_opcheck(case: body.Case) -> None:
    body.passes_opcheck(case)


def test_schema_declares_mutation() -> None:
    body.schema_declares_mutation("v2")


@pytest.mark.parametrize("compiler", ["eager", "aot_eager", "inductor"])
def test_compiles(compiler: str) -> None:
    body.compiles("v2", compiler)


def test_compiles_with_changing_shapes() -> None:
    body.compiles_with_changing_shapes("v2")


def test_works_in_inference_mode() -> None:
    body.works_in_inference_mode("v2")


def test_has_no_gradient() -> None:
    body.has_no_gradient("v2")


def test_fake_tensors_give_shapes() -> None:
    body.fake_tensors_give_shapes("v2")
