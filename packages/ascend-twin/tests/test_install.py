# SPDX-License-Identifier: BSD-3-Clause
"""What a user has after `pip install`: everything in the wheel, nothing written outside the cache, clear errors."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import ascend_twin
import pytest
from ascend_twin import EXAMPLE
from ascend_twin.build import runtime_library

PACKAGE = Path(ascend_twin.__file__).resolve().parent
PROJECT = Path(__file__).resolve().parents[1]


def command(*words: object, home: Path | None = None, **env: str) -> subprocess.CompletedProcess:
    """`python -m ascend_twin` of this Python, or of a package in `home`."""
    more = {"PYTHONPATH": str(home)} if home else {}
    return subprocess.run(
        [sys.executable, "-m", "ascend_twin", *map(str, words)],
        env={**os.environ, **more, **env},
        cwd=home,
        capture_output=True,
        text=True,
    )


def files(folder: Path) -> dict[Path, int]:
    return {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts}


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """A folder with the package as pip installs it from a wheel that is built here."""
    if not importlib.util.find_spec("hatchling") or not importlib.util.find_spec("pip"):
        pytest.skip("no hatchling or pip here to build a wheel with")
    source, wheels, target = (tmp_path_factory.mktemp(name) for name in ("source", "wheels", "target"))
    shutil.copytree(PROJECT, source / "ascend-twin", ignore=shutil.ignore_patterns("__pycache__", ".*"))
    before = files(source)
    pip = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check"]
    wheel = [*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", str(wheels), str(source / "ascend-twin")]
    subprocess.run(wheel, check=True)
    assert files(source) == before
    (made,) = wheels.glob("ascend_twin-*-py3-none-any.whl")
    subprocess.run([*pip, "install", "--no-deps", "--target", str(target), str(made)], check=True)
    return target


def test_wheel_is_whole_and_writes_to_the_cache_only(installed, tmp_path):
    """From an empty cache: the runtime is compiled, a kernel is built and checked."""
    before = files(installed)
    cache = tmp_path / "cache"
    done = command("check", EXAMPLE, home=installed, ASCEND_TWIN_CACHE=str(cache))
    assert (done.returncode, done.stdout) == (0, "add, 8 blocks, 1 order of the cores: clean\n"), done.stderr
    assert files(installed) == before
    made = {path.name.split("-")[0] + path.suffix for path in cache.iterdir()}
    assert {"libascend_twin.so", "kernel.so", "kernel.json"} <= made


def test_wheel_holds_what_the_checkout_has(installed):
    ours = PROJECT / "src" / "ascend_twin"
    here = {p.relative_to(ours) for p in files(ours)}
    there = {p.relative_to(installed / "ascend_twin") for p in files(installed / "ascend_twin")}
    assert here == there
    assert (installed / "bin" / "ascend-twin").is_file()


def test_machines_and_places_share_a_runtime(installed):
    """The key is the content: a second environment does not compile again."""
    code = "from ascend_twin.build import runtime_library; print(runtime_library())"
    env = {**os.environ, "PYTHONPATH": str(installed)}
    done = subprocess.run([sys.executable, "-c", code], env=env, cwd=installed, capture_output=True, text=True)
    assert Path(done.stdout.strip()).name == runtime_library().name, done.stderr


def test_default_cache(tmp_path, monkeypatch):
    monkeypatch.delenv("ASCEND_TWIN_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert ascend_twin.build.cache_dir() == tmp_path / "ascend-twin"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert ascend_twin.build.cache_dir() == tmp_path / ".cache" / "ascend-twin"


def test_cache_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    done = command("check", EXAMPLE, ASCEND_TWIN_CACHE=str(tmp_path / "file" / "cache"))
    assert done.returncode == 2 and "ASCEND_TWIN_CACHE=DIR moves it" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("variables,expected", [({}, "no C++ compiler was found"), ({"CXX": "g++-99"}, "no g++-99")])
def test_no_compiler(tmp_path, variables, expected):
    """Which compilers, how to install them; no traceback."""
    (tmp_path / "bin").mkdir()
    env = {"CXX": "", "PATH": str(tmp_path / "bin"), "ASCEND_TWIN_CACHE": str(tmp_path), **variables}
    for words in (["check", EXAMPLE], ["info"]):
        done = command(*words, **env)
        assert done.returncode == 2 and expected in done.stderr, done.stderr
        assert "apt install g++" in done.stderr and "Traceback" not in done.stderr


def test_c_compiler(tmp_path):
    """CXX=gcc compiles and links, but without the standard library; it is told before anything is compiled."""
    if not shutil.which("gcc"):
        pytest.skip("no gcc here")
    done = command("check", EXAMPLE, CXX="gcc", ASCEND_TWIN_CACHE=str(tmp_path))
    assert done.returncode == 2 and "gcc links no C++ standard library" in done.stderr, done.stderr
    assert not list(tmp_path.glob("*.so"))


def test_no_binutils(tmp_path):
    """The compiler is there, what it links with is not: it prints bare names, and PATH does not have them."""
    compiler = tmp_path / "g++"
    answers = '-dumpmachine) echo x86_64-linux-gnu;; -print-prog-name=*) echo "${1#-print-prog-name=}";; *) echo g++;;'
    compiler.write_text(f'#!/bin/sh\ncase "$1" in {answers} esac\n')
    compiler.chmod(0o755)
    done = command("check", EXAMPLE, CXX="g++", PATH=str(tmp_path), ASCEND_TWIN_CACHE=str(tmp_path / "cache"))
    assert done.returncode == 2 and "g++ has no ld, nm, objcopy" in done.stderr, done.stderr


def test_acl_says_what_it_needs(tmp_path):
    done = subprocess.run([sys.executable, "-m", "ascend_twin.acl"], capture_output=True, text=True)
    assert done.returncode == 2 and "python -m ascend_twin.acl OUT_DIR" in done.stderr
    if importlib.util.find_spec("torch_npu"):
        return  # nox -s test-npu-emulated of the repository builds it
    words = [sys.executable, "-m", "ascend_twin.acl", str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 1 and "needs torch, torch_npu and pyelftools" in done.stderr, done.stderr
