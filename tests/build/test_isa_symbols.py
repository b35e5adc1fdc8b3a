# SPDX-License-Identifier: BSD-3-Clause
"""Objects compiled for a SIMD level keep their inline functions to themselves.

Of an inline function that several objects define the linker keeps one copy. Were it the copy of an object compiled for
AVX-512, baseline code that calls it would be stopped by SIGILL on an older CPU.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from buildtools.extension import build_extension
from buildtools.sources import X86_ISA_FLAGS
from buildtools.staging import staged
from buildtools.toolchain import find_toolchain

PACKAGE = Path(__file__).resolve().parents[2] / "packages" / "flash-attn-npu-v3"


@pytest.fixture(scope="module")
def isa_objects() -> dict[str, Path]:
    """Object file by level name, from a build of the package as it is shipped."""
    build_dir = build_extension(staged(PACKAGE, os.environ)).parent
    objects = (build_dir / "obj" / "kernels-common" / "cpu" / "isa").glob("isa_*.o")
    return {path.name.split(".")[0][len("isa_") :]: path for path in objects}


@pytest.mark.skipif(find_toolchain().machine != "x86_64", reason="only x86-64 has levels above the baseline")
def test_isa_objects_export_their_table_only(isa_objects: dict[str, Path]) -> None:
    assert set(isa_objects) >= {"portable", "avx2", "avx512"}
    assert set(isa_objects) <= {"portable", *X86_ISA_FLAGS}
    for level, path in isa_objects.items():
        command = ["nm", "-C", "--defined-only", "--extern-only", "--format=posix", path]
        listing = subprocess.run(command, text=True, capture_output=True, check=True).stdout
        # DW.ref.*: the compiler's pointer to the exception handler, data that is the same in every object.
        symbols = {line.split(" ")[0] for line in listing.splitlines() if not line.startswith("DW.ref.")}
        assert symbols == {f"flash_attn_npu::cpu::isa_{level}()"}, f"isa_{level}.cpp exports more than its table"
