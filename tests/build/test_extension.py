# SPDX-License-Identifier: BSD-3-Clause
"""The extension module: environment variables, link flags, and what the packages' sdists carry."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from buildtools.device_targets import device_headers, host_sources, pass_sources
from buildtools.extension import Options, build_extension, extension_target
from buildtools.toolchain import Toolchain, ToolchainError

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {version: ROOT / "packages" / f"flash-attn-npu-{version}" for version in ("v2", "v3")}
GCC = Toolchain(("g++",), "g++", (12, 2, 0), "x86_64")


def test_options_defaults() -> None:
    assert Options.from_environ({}) == Options("release", False, None)
    assert Options.from_environ({"FLASH_ATTN_NPU_BUILD_TYPE": "", "FLASH_ATTN_NPU_TEST_ISAS": ""}) == Options()


def test_options_are_read() -> None:
    environ = {"FLASH_ATTN_NPU_BUILD_TYPE": "sanitize", "FLASH_ATTN_NPU_TEST_ISAS": "1", "MAX_JOBS": "3"}
    assert Options.from_environ(environ) == Options("sanitize", True, 3)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FLASH_ATTN_NPU_BUILD_TYPE", "fast"),
        ("FLASH_ATTN_NPU_TEST_ISAS", "yes"),
        ("MAX_JOBS", "0"),
        ("MAX_JOBS", "many"),
    ],
)
def test_bad_values_are_named(name: str, value: str) -> None:
    with pytest.raises(ToolchainError, match=f"{name}={value!r}"):
        Options.from_environ({name: value})


def test_release_and_sanitize_link_differently() -> None:
    def link_flags(kind: str) -> tuple[str, ...]:
        return tuple(extension_target(PACKAGES["v3"], GCC, Options(kind), "build/x", "/include").link_flags)

    assert "-Wl,--version-script=build/x/exports.map" in link_flags("release")
    assert "-static-libstdc++" in link_flags("release")
    assert "-static-libgcc" not in link_flags("release")
    assert "-fsanitize=address,undefined" in link_flags("sanitize")
    assert "-static-libstdc++" not in link_flags("sanitize")


def test_package_without_sources(tmp_path: Path) -> None:
    with pytest.raises(ToolchainError, match=r"has no csrc/\*\.cpp"):
        extension_target(tmp_path, GCC, Options(), "build/x", "/include")


MODULE = """\
#include <Python.h>
namespace flash_attn_npu { int defined(); }
static PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_C", nullptr, -1, nullptr, nullptr, nullptr, nullptr, nullptr};
PyMODINIT_FUNC PyInit__C() {
    return flash_attn_npu::defined() ? PyModule_Create(&definition) : nullptr;
}
"""


def write_package(path: Path, definition: str) -> Path:
    """A package with one binding source, and one backend source that holds `definition`."""
    for directory in ("csrc", "kernels-common/cpu"):
        (path / directory).mkdir(parents=True)
    (path / "csrc" / "module.cpp").write_text(MODULE)
    (path / "kernels-common" / "cpu" / "defined.cpp").write_text(definition)
    return path


def test_module_builds_imports_and_exports_nothing_else(tmp_path: Path) -> None:
    definition = "namespace flash_attn_npu { int defined() { return 1; } }"
    module = build_extension(write_package(tmp_path, definition))
    subprocess.run([sys.executable, "-c", "import _C"], cwd=module.parent, check=True)
    listing = subprocess.run(["nm", "-D", "--defined-only", module], text=True, capture_output=True, check=True)
    assert [line.split()[-1] for line in listing.stdout.splitlines()] == ["PyInit__C"]


def test_missing_symbol_fails_the_build(tmp_path: Path) -> None:
    with pytest.raises(ToolchainError, match=r"cannot be imported.*undefined symbol: \S*flash_attn_npu7defined"):
        build_extension(write_package(tmp_path, "namespace flash_attn_npu { int other() { return 1; } }"))


def test_kinds_have_directories_of_their_own(tmp_path: Path) -> None:
    package = write_package(tmp_path, "namespace flash_attn_npu { int defined() { return 1; } }")
    kinds = [{}, {"FLASH_ATTN_NPU_TEST_ISAS": "1"}, {"FLASH_ATTN_NPU_BUILD_TYPE": "debug"}]
    modules = [build_extension(package, {**os.environ, **kind}) for kind in kinds]
    assert len({module.parent for module in modules}) == len(kinds)
    assert all(module.is_file() for module in modules)


@pytest.fixture(scope="module", params=PACKAGES)
def sdist(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, tarfile.TarFile]:
    """One package's version and its sdist, open."""
    directory = tmp_path_factory.mktemp(f"sdist-{request.param}")
    command = [sys.executable, "-m", "build", "--sdist", "--no-isolation", "-o", directory, PACKAGES[request.param]]
    subprocess.run(command, check=True, capture_output=True, text=True)
    (path,) = directory.glob("*.tar.gz")
    return request.param, tarfile.open(path)


def sdist_files(archive: tarfile.TarFile) -> set[str]:
    return {member.name.split("/", 1)[1] for member in archive.getmembers()}


def test_sdist_holds_files_and_no_links(sdist: tuple[str, tarfile.TarFile]) -> None:
    _, archive = sdist
    assert [member.name for member in archive.getmembers() if not member.isfile()] == []


def test_sdist_holds_every_source(sdist: tuple[str, tarfile.TarFile]) -> None:
    version, archive = sdist
    target = extension_target(PACKAGES[version], GCC, Options(test_isas=True), "build/x", "/include")
    assert {source.path for source in target.sources} - sdist_files(archive) == set()
    device = {
        *pass_sources(PACKAGES[version]),
        *host_sources(PACKAGES[version]),
        *device_headers(PACKAGES[version]),
    }
    assert device and device - sdist_files(archive) == set()


ASCEND_ROOMS = {"arch", "contract", "tile", "shared", "general", "decode", "prefill", "passes", "host"}
NOT_FOR_USERS = ("twin", "matmul", "smoke_test", "test_")


def test_sdist_holds_only_what_the_wheel_needs(sdist: tuple[str, tarfile.TarFile]) -> None:
    """No simulator, none of its glue, no demonstration kernels, no tests."""
    version, archive = sdist
    allowed = (
        "csrc/",
        f"src/flash_attn_npu_{version}/",
        *(f"kernels-common/{part}/" for part in ("include", "api", "binding", "cpu", "buildtools")),
        *(f"kernels-common/ascend/{room}/" for room in ASCEND_ROOMS),
    )
    top = {"hatch_build.py", "pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE", "PKG-INFO", ".gitignore"}
    files = sdist_files(archive)
    assert {file for file in files if not file.startswith(allowed)} <= top
    assert f"src/flash_attn_npu_{version}/_common/__init__.py" in files
    assert not [file for file in files if file.endswith((".so", ".pyc", ".o"))]
    assert not [file for file in files if any(word in Path(file).name for word in NOT_FOR_USERS)]
