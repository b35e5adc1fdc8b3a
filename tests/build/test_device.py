# SPDX-License-Identifier: BSD-3-Clause
"""The build of the device library for an NPU: the search for CANN, the messages, and every command line as recorded."""

from __future__ import annotations

import json
import platform
import re
import stat
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from buildtools import device, device_targets, wheel_hook
from buildtools.cann import Cann, find_cann
from buildtools.instances import INSTANCES, TEMPLATE, instances
from buildtools.toolchain import ToolchainError, find_toolchain

ARCH = f"{platform.machine()}-linux"

# Answers like bisheng as far as ninja can tell: writes its arguments down and makes what -o names.
FAKE_BISHENG = f"""#!{sys.executable}
import json, sys
from pathlib import Path
arguments = sys.argv[1:]
with open(Path(__file__).parents[1] / "calls", "a") as calls:
    calls.write(json.dumps(arguments) + "\\n")
Path(arguments[arguments.index("-o") + 1]).write_text("made by a fake")
"""


@pytest.fixture
def toolkit(tmp_path: Path) -> Path:
    """The layout of an installed CANN toolkit 8.5."""
    home = tmp_path / "cann"
    for directory in ("bin", "compiler/tikcpp/include", f"{ARCH}/tikcpp/include", "include/acl", "lib64"):
        (home / directory).mkdir(parents=True)
    write_version(home, "8.5.0")
    compiler = home / "bin" / "bisheng"
    compiler.write_text(FAKE_BISHENG)
    compiler.chmod(compiler.stat().st_mode | stat.S_IXUSR)
    return home


def write_version(home: Path, version: str) -> None:
    (home / ARCH / "ascend_toolkit_install.info").write_text(f"package_name=Ascend-cann-toolkit\nversion={version}\n")


def found(home: Path) -> Cann:
    return find_cann({"ASCEND_HOME_PATH": str(home), "PATH": ""})


def refusal(environ: dict[str, str]) -> str:
    with pytest.raises(ToolchainError) as error:
        find_cann(environ)
    assert "Install the CANN toolkit 8.5 or newer" in str(error.value)
    return str(error.value)


def test_finds_a_toolkit(toolkit: Path) -> None:
    cann = found(toolkit)
    assert cann == Cann(toolkit, (8, 5), toolkit / "bin" / "bisheng")
    assert cann.include_dirs == [
        toolkit / "compiler/tikcpp/include",
        toolkit / ARCH / "tikcpp/include",
        toolkit / "include",
    ]
    assert cann.library_dirs == [toolkit / "lib64"]


@pytest.mark.parametrize(
    ("text", "version"), [("8.5.RC1", (8, 5)), ("9.0.0.beta2", (9, 0)), ("9.1.0", (9, 1)), ("10.0.0", (10, 0))]
)
def test_versions(toolkit: Path, text: str, version: tuple[int, int]) -> None:
    write_version(toolkit, text)
    assert found(toolkit).version == version


def test_version_from_the_name_of_the_directory(toolkit: Path) -> None:
    (toolkit / ARCH / "ascend_toolkit_install.info").unlink()
    home = toolkit.rename(toolkit.parent / "cann-8.5.1")
    link = toolkit.parent / "latest"
    link.symlink_to(home)
    assert found(link).version == (8, 5)


def test_compiler_of_older_layouts(toolkit: Path) -> None:
    old = toolkit / "compiler" / "ccec_compiler" / "bin"
    old.mkdir(parents=True)
    (toolkit / "bin" / "bisheng").rename(old / "bisheng")
    assert found(toolkit).compiler == old / "bisheng"


def test_without_the_variable() -> None:
    assert "ASCEND_HOME_PATH is not set" in refusal({})
    assert "ASCEND_HOME_PATH is not set" in refusal({"ASCEND_HOME_PATH": " "})


def test_no_such_directory(tmp_path: Path) -> None:
    assert f"{tmp_path}/none: there is no such directory" in refusal({"ASCEND_HOME_PATH": f"{tmp_path}/none"})


def test_no_toolkit_in_the_directory(tmp_path: Path) -> None:
    message = refusal({"ASCEND_HOME_PATH": str(tmp_path)})
    assert f"{tmp_path} holds no CANN toolkit" in message and "ascend_toolkit_install.info" in message


@pytest.mark.parametrize("version", ["8.2.RC1", "7.0.1"])
def test_too_old(toolkit: Path, version: str) -> None:
    write_version(toolkit, version)
    message = refusal({"ASCEND_HOME_PATH": str(toolkit)})
    assert f"CANN {version[:3]} in {toolkit} is too old: 8.5 or newer is needed" in message


def test_no_compiler(toolkit: Path) -> None:
    (toolkit / "bin" / "bisheng").unlink()
    assert f"CANN 8.5 in {toolkit} has no bisheng" in refusal({"ASCEND_HOME_PATH": str(toolkit), "PATH": ""})


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A tree with one file of each kind."""
    root = tmp_path / "root"
    for name in (
        "ascend/general/kernel.h",
        "ascend/host/backend.cpp",
        "ascend/host/device_acl.cpp",
        "include/flash_attn_npu/plan.h",
    ):
        path = root / "kernels-common" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    ascend = root / device_targets.ASCEND
    (ascend / INSTANCES).parent.mkdir()
    (ascend / INSTANCES).write_text("KERNEL(general, flash_attn_attention_f16, kFloat16, 0, 0)\n")
    (ascend / "general" / TEMPLATE).write_text("@SYMBOL@ of @ELEMENT@")
    return root


def build(root: Path, toolkit: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The command lines of a build, with the paths of this run replaced."""
    monkeypatch.setenv("ASCEND_HOME_PATH", str(toolkit))
    monkeypatch.setenv("MAX_JOBS", "1")
    (toolkit / "calls").unlink(missing_ok=True)
    out = root / "out"
    library = device.build_device(out, root)
    assert library == out / "_ascend910b.so" and library.read_text() == "made by a fake"
    if not (toolkit / "calls").exists():
        return []
    lines = (toolkit / "calls").read_text().splitlines()
    short = [line.replace(str(toolkit), "CANN").replace(str(out), "OUT").replace(ARCH, "ARCH") for line in lines]
    return [json.loads(line) for line in short]


KERNEL = (
    "-x asc --npu-arch=dav-2201 -O2 -fPIC -std=c++17 -Wno-macro-redefined -Wno-ignored-attributes "
    "-Ikernels-common/ascend -Ikernels-common/include "
    "-ICANN/compiler/tikcpp/include -ICANN/ARCH/tikcpp/include -ICANN/include "
    "-c OUT/kernels/flash_attn_attention_f16.cpp -o OUT/obj/kernels/flash_attn_attention_f16.cpp.o"
)
HOST = (
    "-std=c++17 -O2 -fPIC -fvisibility=hidden -Wall -Wextra -Ikernels-common/ascend -Ikernels-common/include "
    "-ICANN/compiler/tikcpp/include -ICANN/ARCH/tikcpp/include -ICANN/include "
    "-c kernels-common/ascend/host/{0} -o OUT/obj/kernels-common/ascend/host/{0}.o"
)
LINK = (
    "OUT/obj/kernels/flash_attn_attention_f16.cpp.o OUT/obj/kernels-common/ascend/host/backend.cpp.o "
    "OUT/obj/kernels-common/ascend/host/device_acl.cpp.o -shared -fPIC --npu-arch=dav-2201 "
    "-Wl,--version-script=OUT/exports.map -static-libstdc++ -LCANN/lib64 -lascendcl -o OUT/_ascend910b.so"
)


def test_every_command_line(sources: Path, toolkit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = build(sources, toolkit, monkeypatch)
    compiles = [KERNEL, HOST.format("backend.cpp"), HOST.format("device_acl.cpp")]
    assert sorted(calls[:-1]) == sorted(line.split() for line in compiles)
    assert calls[-1] == LINK.split()
    assert (sources / "out" / "exports.map").read_text() == device_targets.EXPORTS
    assert (sources / "out/kernels/flash_attn_attention_f16.cpp").read_text() == "flash_attn_attention_f16 of half"


def test_kernel_types_are_not_inferred_by_newer_toolkits(
    sources: Path, toolkit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_version(toolkit, "9.0.0")
    calls = build(sources, toolkit, monkeypatch)
    flagged = [line for line in calls if "--cce-auto-infer-kernel-type=false" in line]
    assert [line[-1] for line in flagged] == [KERNEL.split()[-1]]


def test_incremental(sources: Path, toolkit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(build(sources, toolkit, monkeypatch)) == 4
    assert build(sources, toolkit, monkeypatch) == []
    (sources / "kernels-common/ascend/host/backend.cpp").write_text("// changed")
    assert len(build(sources, toolkit, monkeypatch)) == 2
    (sources / "kernels-common/ascend/general/kernel.h").write_text("// changed")
    assert len(build(sources, toolkit, monkeypatch)) == 4


@pytest.fixture
def hook(sources: Path, monkeypatch: pytest.MonkeyPatch) -> wheel_hook.ExtensionBuildHook:
    """The build hook of a package in `sources`, whose extension module is built already."""
    module = sources / "_C.abi3.so"
    module.touch()
    monkeypatch.setattr(wheel_hook, "build_extension", lambda root: module)
    monkeypatch.setattr(wheel_hook, "staged", lambda package_dir, environ: sources)
    (sources / "src" / "flash_attn_npu_v3" / "_common").mkdir(parents=True)
    monkeypatch.setenv("MAX_JOBS", "1")
    monkeypatch.delenv("ASCEND_HOME_PATH", raising=False)
    metadata = SimpleNamespace(name="flash-attn-npu-v3")
    return wheel_hook.ExtensionBuildHook(str(sources), {}, None, metadata, str(sources), "wheel", Application())


class Application:
    """hatchling's, as far as the hook uses it."""

    def abort(self, message: str) -> None:
        raise SystemExit(message)


def files_of_the_wheel(hook: wheel_hook.ExtensionBuildHook, version: str = "standard") -> set[str]:
    build_data: dict[str, Any] = {"force_include": {}}
    hook.initialize(version, build_data)
    assert all(Path(path).exists() for path in build_data["force_include"])
    return set(build_data["force_include"].values()) - {"flash_attn_npu_v3/_common"}


def test_wheel_without_cann(hook: wheel_hook.ExtensionBuildHook) -> None:
    assert files_of_the_wheel(hook) == {"flash_attn_npu_v3/_C.abi3.so"}


def test_wheel_with_cann(hook: wheel_hook.ExtensionBuildHook, toolkit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASCEND_HOME_PATH", str(toolkit))
    assert files_of_the_wheel(hook) == {"flash_attn_npu_v3/_C.abi3.so", "flash_attn_npu_v3/_ascend910b.so"}
    assert files_of_the_wheel(hook, "editable") == set()
    package = Path(hook.root, "src", "flash_attn_npu_v3")
    assert {path.name for path in package.glob("*.so")} == {"_C.abi3.so", "_ascend910b.so"}


def test_wheel_with_cann_that_is_too_old(
    hook: wheel_hook.ExtensionBuildHook, toolkit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_version(toolkit, "8.0.RC1")
    monkeypatch.setenv("ASCEND_HOME_PATH", str(toolkit))
    with pytest.raises(SystemExit, match="(?s)CANN 8.0.* too old: 8.5 or newer.*without it, the wheel has"):
        files_of_the_wheel(hook)


def test_every_kernel_of_the_host_half_has_a_source(tmp_path: Path) -> None:
    """What host/kernels.h declares (instances.def among it) is what the kernels' sources launch."""
    header = f"{device_targets.ASCEND}/host/kernels.h"
    command = [*find_toolchain().command, *device_targets.HOST_FLAGS, "-x", "c++", "-E", header]
    text = subprocess.run(command, cwd=device.ROOT, text=True, capture_output=True, check=True).stdout
    declared = set(names_in(text, r"void launch_(\w+)\("))
    assert len(declared) > 3
    device_targets.write_instances(device.ROOT, tmp_path)
    sources = [device.ROOT / path for path in device_targets.pass_sources(device.ROOT)]
    sources += (tmp_path / device_targets.INSTANCES_DIR).glob("*.cpp")
    launched = {name for path in sources for name in names_in(path.read_text(), r"FLASH_ATTN_NPU_LAUNCHER\((\w+),")}
    assert launched == declared


def test_instances_name_a_line_that_is_wrong(tmp_path: Path) -> None:
    (tmp_path / INSTANCES).parent.mkdir()
    (tmp_path / INSTANCES).write_text("// fine\nKERNEL(decode, flash_attn_decode_f32, kFloat32, 0, 0)\n")
    with pytest.raises(ValueError, match=r"instances.def:2: .*kFloat32.*expected KERNEL\(room"):
        list(instances(tmp_path))


def names_in(text: str, pattern: str) -> list[str]:
    return re.findall(pattern, text)


def test_host_half_without_cann(tmp_path: Path) -> None:
    """The command says what is missing instead of failing on a compiler that is not there."""
    command = [sys.executable, "-m", "buildtools.device", str(tmp_path)]
    environ = {"PATH": "", "PYTHONPATH": str(device.ROOT / "kernels-common")}
    done = subprocess.run(command, env=environ, text=True, capture_output=True)
    assert done.returncode == 1 and "ASCEND_HOME_PATH is not set" in done.stderr, done
