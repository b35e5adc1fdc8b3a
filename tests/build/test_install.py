# SPDX-License-Identifier: BSD-3-Clause
"""pip makes wheels of a checkout as users have it: read-only, with spaces in its path, without symlinks, by an old pip.

The packages of the tests are real but for their sources: one small extension module takes the place of ours.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NAME = "flash-attn-npu-v3"
MODULE = "flash_attn_npu_v3"
SOURCE = """\
#include <Python.h>
#include <string>
namespace flash_attn_npu { std::string name(); }
static PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_C", nullptr, -1, nullptr, nullptr, nullptr, nullptr, nullptr};
PyMODINIT_FUNC PyInit__C() {
    return flash_attn_npu::name().empty() ? nullptr : PyModule_Create(&definition);
}
"""
BACKEND = (
    '#include <string>\nnamespace flash_attn_npu { std::string name() { return "a longer name than fits inside"; } }\n'
)


def checkout(path: Path) -> Path:
    """A small repository at `path` with the real build machinery; returns the package's directory."""
    common = path / "kernels-common"
    shutil.copytree(ROOT / "kernels-common" / "buildtools", common / "buildtools", ignore=no_bytecode)
    shutil.copytree(ROOT / "kernels-common" / "python", common / "python", ignore=no_bytecode)
    for part in ("include", "api", "ascend", "binding"):
        (common / part).mkdir()
    (common / "cpu").mkdir()
    (common / "cpu" / "name.cpp").write_text(BACKEND)
    package = path / "packages" / NAME
    shutil.copytree(
        ROOT / "packages" / NAME, package, symlinks=True, ignore=shutil.ignore_patterns("*.so", "__pycache__", "build")
    )
    shutil.rmtree(package / "csrc")
    (package / "csrc").mkdir()
    (package / "csrc" / "module.cpp").write_text(SOURCE)
    return package


no_bytecode = shutil.ignore_patterns("__pycache__")


def pip(
    *arguments: str | Path, python: str | Path = sys.executable, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Runs pip; output and errors come in one stream."""
    environ = {**os.environ, "PIP_NO_CACHE_DIR": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", **variables}
    command = [python, "-m", "pip", *arguments]
    return subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environ)


def wheel(package: Path, out: Path, **variables: str) -> set[str]:
    """Makes a wheel with what is installed here; returns the names of its files."""
    done = pip("wheel", "--no-build-isolation", "--no-deps", "-w", out, package, **variables)
    assert done.returncode == 0, done.stdout
    (file,) = out.glob("*.whl")
    return set(zipfile.ZipFile(file).namelist())


def refusal(package: Path, out: Path, **variables: str) -> str:
    """What pip says when it makes no wheel."""
    done = pip("wheel", "--no-build-isolation", "--no-deps", "-w", out, package, **variables)
    assert done.returncode != 0 and "Traceback" not in done.stdout, done.stdout
    return done.stdout


def assert_complete(files: set[str]) -> None:
    common = {f"{MODULE}/_common/{path.name}" for path in (ROOT / "kernels-common/python").glob("*/*.py")}
    assert {f"{MODULE}/_C.abi3.so", f"{MODULE}/__init__.py", f"{MODULE}/py.typed", *common} <= files
    assert f"{MODULE}/_common" not in files


def contents(tree: Path) -> set[str]:
    """All paths below `tree` but the bytecode of hatch_build.py, which hatchling writes where it may."""
    return {str(path.relative_to(tree)) for path in tree.rglob("*") if "__pycache__" not in path.parts}


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Builds of the tests go to a cache of their own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("FLASH_ATTN_NPU_BUILD_DIR", raising=False)
    monkeypatch.delenv("ASCEND_HOME_PATH", raising=False)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    return tmp_path / "cache"


def test_nothing_is_written_into_a_read_only_checkout(tmp_path: Path, own_cache: Path) -> None:
    package = checkout(tmp_path / "tree")
    before = contents(tmp_path / "tree")
    for path in [tmp_path / "tree", *(tmp_path / "tree").rglob("*")]:
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))
    assert_complete(wheel(package, tmp_path / "out"))
    assert contents(tmp_path / "tree") == before
    assert list(own_cache.glob("flash-attn-npu/build/*/build/*/_C.abi3.so"))


def test_path_with_spaces(tmp_path: Path) -> None:
    package = checkout(tmp_path / "my tree (v3)")
    assert_complete(wheel(package, tmp_path / "out", FLASH_ATTN_NPU_BUILD_DIR=str(tmp_path / "my builds")))
    assert list((tmp_path / "my builds").glob(f"{NAME}/build/*/_C.abi3.so"))


def test_second_wheel_compiles_nothing(tmp_path: Path, own_cache: Path) -> None:
    package = checkout(tmp_path / "tree")
    wheel(package, tmp_path / "out")
    objects = {path: path.stat().st_mtime_ns for path in own_cache.rglob("*.o")}
    (tmp_path / "out" / next((tmp_path / "out").glob("*.whl")).name).unlink()
    wheel(package, tmp_path / "out")
    assert objects and {path: path.stat().st_mtime_ns for path in own_cache.rglob("*.o")} == objects


def test_another_version_in_the_same_place_is_compiled(tmp_path: Path, own_cache: Path) -> None:
    """An archive sets times long past: by times alone the objects of the version before would be current."""
    package = checkout(tmp_path / "tree")
    wheel(package, tmp_path / "out-one")
    source = tmp_path / "tree" / "kernels-common" / "cpu" / "name.cpp"
    source.write_text("int other() { return 1; }\n")  # such a module cannot be imported
    os.utime(source, (1_000_000_000, 1_000_000_000))
    assert "undefined symbol" in refusal(package, tmp_path / "out-two")


def test_without_a_cache_to_write_to(tmp_path: Path) -> None:
    package = checkout(tmp_path / "tree")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    (tmp_path / "file").touch()
    assert_complete(wheel(package, tmp_path / "out", XDG_CACHE_HOME=str(tmp_path / "file"), TMPDIR=str(scratch)))
    assert not [path for path in scratch.iterdir() if path.name.startswith("flash-attn-npu")], "it was not removed"


def test_cache_forgets_checkouts_that_are_gone(tmp_path: Path, own_cache: Path) -> None:
    wheel(checkout(tmp_path / "one"), tmp_path / "out-one")
    shutil.rmtree(tmp_path / "one")
    wheel(checkout(tmp_path / "two"), tmp_path / "out-two")
    (left,) = (own_cache / "flash-attn-npu" / "build").iterdir()
    assert (left / "csrc").resolve() == tmp_path / "two" / "packages" / NAME / "csrc"


@pytest.fixture
def without_symlinks(tmp_path: Path) -> Path:
    """A package of a checkout in which git wrote every symlink as a file of text."""
    package = checkout(tmp_path / "tree")
    links = [path for path in package.rglob("*") if path.is_symlink()]
    assert {path.name for path in links} == {"kernels-common", "_common"}
    for link in links:
        target = os.readlink(link)
        link.unlink()
        link.write_text(target)
    return package


def test_checkout_without_symlinks(without_symlinks: Path, tmp_path: Path) -> None:
    assert_complete(wheel(without_symlinks, tmp_path / "out"))


def test_editable_and_sdist_need_symlinks(without_symlinks: Path, tmp_path: Path) -> None:
    editable = pip(
        "install", "--no-build-isolation", "--no-deps", "--target", tmp_path / "site", "-e", without_symlinks
    )
    assert "An editable install needs a checkout with symlinks" in editable.stdout, editable.stdout
    command = [sys.executable, "-m", "build", "--sdist", "--no-isolation", "-o", tmp_path / "out", without_symlinks]
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode != 0 and "An sdist needs a checkout with symlinks" in done.stdout, done.stdout


def test_editable_writes_the_module_only(tmp_path: Path) -> None:
    package = checkout(tmp_path / "tree")
    before = contents(tmp_path / "tree")
    done = pip("install", "--no-build-isolation", "--no-deps", "--target", tmp_path / "site", "-e", package)
    assert done.returncode == 0, done.stdout
    assert contents(tmp_path / "tree") - before == {f"packages/{NAME}/src/{MODULE}/_C.abi3.so"}


def test_c_compiler_is_refused_before_compiling(tmp_path: Path, own_cache: Path) -> None:
    message = refusal(checkout(tmp_path / "tree"), tmp_path / "out", CXX="gcc")
    assert "gcc compiles C++ but does not link it" in message and "CXX=g++" in message
    assert not list(own_cache.rglob("*.o"))


def test_nm_is_not_needed(tmp_path: Path) -> None:
    """PATH has the compiler and what it calls, and nothing else of binutils."""
    programs = tmp_path / "bin"
    programs.mkdir()
    own = os.pathsep.join(path for path in os.environ["PATH"].split(os.pathsep) if "ccache" not in path)
    for name in ("g++", "as", "ld", "sh", "ninja"):
        found = shutil.which(name, path=own)
        if found is not None:
            (programs / name).symlink_to(found)
    assert_complete(wheel(checkout(tmp_path / "tree"), tmp_path / "out", PATH=str(programs)))


def test_module_that_cannot_be_imported_makes_no_wheel(tmp_path: Path) -> None:
    package = checkout(tmp_path / "tree")
    (tmp_path / "tree" / "kernels-common" / "cpu" / "name.cpp").write_text("int other() { return 1; }\n")
    message = refusal(package, tmp_path / "out")
    assert "_C.abi3.so was compiled but cannot be imported" in message and "undefined symbol" in message


def test_old_pip_is_told_from_a_copy(tmp_path: Path) -> None:
    """pip before 21.3 builds in a copy of the package's directory, whose link to kernels-common leads nowhere."""
    package = checkout(tmp_path / "tree")
    shutil.copytree(package, tmp_path / "copy" / NAME, symlinks=True)
    message = refusal(tmp_path / "copy" / NAME, tmp_path / "out")
    assert "pip before 21.3 makes one. Update pip (python -m pip install -U pip)" in message


def test_hooks_and_licences_are_the_same() -> None:
    hooks = {
        (ROOT / "packages" / f"flash-attn-npu-{version}" / "hatch_build.py").read_text() for version in ("v2", "v3")
    }
    assert len(hooks) == 1
    licences = {path.read_text() for path in [ROOT / "LICENSE", *ROOT.glob("packages/*/LICENSE")]}
    assert len(licences) == 1
