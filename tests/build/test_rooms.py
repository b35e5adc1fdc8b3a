# SPDX-License-Identifier: BSD-3-Clause
"""The order of rooms: includes that point upward are found, and those of today are in order."""

from __future__ import annotations

from pathlib import Path

import pytest

from ci import rooms


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """One empty header in each room of kernels-common."""
    for room in rooms.ROOMS:
        header = tmp_path / room / ("flash_attn_npu/x.h" if room == rooms.FACTS else "x.h")
        header.parent.mkdir(parents=True)
        header.touch()
    return tmp_path


def problems(tree: Path, path: str, included: str) -> list[str]:
    text = f'// a comment\n#include <vector>\n  #include "{included}"\n'
    return [str(finding.text) for finding in rooms.findings(path, text, tree)]


@pytest.mark.parametrize(
    ("path", "included"),
    [
        ("kernels-common/include/flash_attn_npu/mask.h", "api/x.h"),
        ("kernels-common/cpu/backend.cpp", "binding/x.h"),
        ("kernels-common/cpu/backend.cpp", "contract/x.h"),
        ("kernels-common/ascend/tile/copy.h", "shared/x.h"),
        ("kernels-common/ascend/tile/copy.h", "shared/x.h"),
        ("kernels-common/ascend/contract/decode.h", "tile/x.h"),
        ("kernels-common/ascend/shared/schedule.h", "general/x.h"),
        ("kernels-common/ascend/decode/kernel.h", "general/x.h"),
        ("kernels-common/ascend/decode/kernel.h", "../prefill/x.h"),
        ("kernels-common/ascend/decode/kernel.h", "host/x.h"),
        ("kernels-common/ascend/host/launch_plan.cpp", "decode/x.h"),
        ("packages/ascend-twin/src/ascend_twin/runtime/cube.cc", "flash_attn_npu/x.h"),
        ("packages/flash-attn-npu-v3/csrc/module.cpp", "cpu/x.h"),
    ],
)
def test_upward_include_is_found(tree: Path, path: str, included: str) -> None:
    (found,) = problems(tree, path, included)
    assert found.startswith(f"{rooms.room_of(path)} includes ")


@pytest.mark.parametrize(
    ("path", "included"),
    [
        ("kernels-common/ascend/decode/kernel.h", "decode/x.h"),
        ("kernels-common/ascend/decode/kernel.h", "shared/x.h"),
        ("kernels-common/ascend/contract/decode.h", "flash_attn_npu/x.h"),
        ("kernels-common/ascend/arch/atlas_a2.h", "kernel_operator.h"),
        ("tests/kernels/ascend/driver.h", "contract/x.h"),
    ],
)
def test_include_in_order_is_none(tree: Path, path: str, included: str) -> None:
    assert problems(tree, path, included) == []


def test_every_folder_of_ascend_is_a_room(tree: Path) -> None:
    assert problems(tree, "kernels-common/ascend/misc/helper.h", "tile/x.h")[0].startswith("is in no room")
    folders = {path for path in (rooms.ROOT / rooms.ASCEND).iterdir() if path.is_dir()}
    assert {f"{rooms.ASCEND}{path.name}" for path in folders} <= set(rooms.ROOMS)


def test_the_tree_is_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    status = rooms.main([])
    assert status == 0, capsys.readouterr().out
