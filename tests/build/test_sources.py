# SPDX-License-Identifier: BSD-3-Clause
"""Which files are compiled, for which machine, in which order and with which flags."""

from __future__ import annotations

from pathlib import Path

import pytest

from buildtools import sources

FILES = (
    "csrc/module.cpp",
    "csrc/b.cpp",
    "kernels-common/binding/tensor.cpp",
    "kernels-common/api/check.cpp",
    "kernels-common/cpu/threads.cpp",
    "kernels-common/cpu/kernel/decode.cpp",
    *(f"kernels-common/cpu/isa/isa_{level}.cpp" for level in ("portable", *sources.X86_ISA_FLAGS)),
    "packages/ascend-twin/src/ascend_twin/core.cpp",
    "kernels-common/cpu/deep/er/not_a_source.cpp",
)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for file in FILES:
        path = tmp_path / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


BASELINE = [
    "kernels-common/api/check.cpp",
    "kernels-common/cpu/kernel/decode.cpp",
    "kernels-common/cpu/threads.cpp",
    "kernels-common/cpu/isa/isa_portable.cpp",
]


def isa_files(*levels: str) -> list[str]:
    return [f"kernels-common/cpu/isa/isa_{level}.cpp" for level in levels]


def test_x86_links_levels_in_rising_order(tree: Path) -> None:
    paths = [source.path for source in sources.backend_sources(tree, "x86_64", test_isas=False)]
    assert paths == BASELINE + isa_files("avx2", "avx512", "avx512_bf16", "amx_bf16")


def test_emulated_amx_is_for_test_builds(tree: Path) -> None:
    paths = [source.path for source in sources.backend_sources(tree, "x86_64", test_isas=True)]
    assert paths[-1:] == isa_files("amx_emulated")


@pytest.mark.parametrize("machine", ["aarch64", "other"])
def test_other_machines_have_the_baseline_only(tree: Path, machine: str) -> None:
    found = sources.backend_sources(tree, machine, test_isas=True)
    assert [source.path for source in found] == BASELINE
    assert all(source.flags == () for source in found)


def test_only_isa_files_have_isa_flags(tree: Path) -> None:
    flags = {source.path: source.flags for source in sources.backend_sources(tree, "x86_64", test_isas=True)}
    assert all(flags[path] == () for path in BASELINE)
    assert set(flags[isa_files("avx2")[0]]) == {"-mavx2", "-mfma", "-mf16c"}
    assert "-mamx-bf16" in flags[isa_files("amx_bf16")[0]]
    assert not any("amx" in flag for flag in flags[isa_files("amx_emulated")[0]])


def test_each_level_includes_the_one_below() -> None:
    levels = [set(flags) for flags in sources.X86_ISA_FLAGS.values()][:-1]  # emulated AMX is outside the order
    assert all(lower < higher for lower, higher in zip(levels, levels[1:]))


def test_only_the_binding_sees_python(tree: Path) -> None:
    found = sources.binding_sources(tree, "/python/include")
    assert [source.path for source in found] == [
        "csrc/b.cpp",
        "csrc/module.cpp",
        "kernels-common/binding/tensor.cpp",
    ]
    assert all("-isystem/python/include" in source.flags for source in found)
    assert all("-DPy_LIMITED_API=0x03090000" in source.flags for source in found)
    backend = sources.backend_sources(tree, "x86_64", test_isas=True)
    assert not any("python" in flag.lower() for source in backend for flag in source.flags)


def test_unknown_isa_level_is_refused(tree: Path) -> None:
    (tree / "kernels-common/cpu/isa/isa_sse9.cpp").touch()
    with pytest.raises(ValueError, match="sse9"):
        sources.backend_sources(tree, "x86_64", test_isas=False)


def test_test_isas_define_reaches_every_file() -> None:
    assert "-DFLASH_ATTN_NPU_TEST_ISAS" in sources.common_flags("release", test_isas=True)
    assert "-DFLASH_ATTN_NPU_TEST_ISAS" not in sources.common_flags("release", test_isas=False)
