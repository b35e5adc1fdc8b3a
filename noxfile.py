# SPDX-License-Identifier: BSD-3-Clause
"""The one entry point for building, testing and measuring. `nox -l` lists the sessions.

Arguments after `--` go to what the session runs:  nox -s test-v3 -- -k paged -x
Outputs go to build/<session>/ and dist/. Environments are kept in .nox/ and reused: delete it to start afresh.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nox

nox.needs_version = ">=2024.10.9"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["lint", "test-build", "test-common", "test-v2", "test-v3"]

ROOT = Path(__file__).resolve().parent
PROJECT = nox.project.load_toml(ROOT / "pyproject.toml")
VERSIONS = ("v2", "v3")

# ISA levels that portable forces one by one; the sources know them by the same names.
_AVX512 = ("avx512f", "avx512bw", "avx512dq", "avx512vl")
_AVX512_BF16 = (*_AVX512, "avx512_bf16")
FORCED_ISAS = {  # what /proc/cpuinfo must list for a level to run
    "portable": (),
    "avx2": ("avx2", "fma", "f16c"),
    "avx512": _AVX512,
    "avx512_bf16": _AVX512_BF16,
    "amx_emulated": _AVX512_BF16,
    "amx_bf16": (*_AVX512_BF16, "amx_tile", "amx_bf16"),
}

CROSS_COMPILER = "aarch64-linux-gnu-g++"
CROSS_EMULATOR = "qemu-aarch64"
CROSS_LIBRARIES = "/usr/aarch64-linux-gnu"  # where Debian's cross compiler keeps the other machine's libc
CROSS_PACKAGES = ("g++-aarch64-linux-gnu", "qemu-user")

TWIN_SMOKE_TEST = "packages/ascend-twin/tests/smoke_test.cpp"

TESTS_WITH_SESSION = (
    *VERSIONS,
    "build",
    "release",
    "twin",
    "npu_emulated",
    "ascend",
)  # directories of tests/; test-common runs all others

# The Ascend kernels and their host half, built for the twin.
DEVICE_LIBRARY = Path("build") / "device-twin" / "_twin.so"
TWIN_SEEDS = ("0", "1", "2")  # orders in which cores take turns

# The environment of every session that needs both wheels: with torch an environment takes a gigabyte and half a minute,
# so these sessions have no environment of their own (venv_backend="none").
BOTH_WHEELS = ROOT / ".nox" / "both-wheels"


def requirements(*groups: str) -> list[str]:
    """The requirements of dependency groups in pyproject.toml."""
    return list(dict.fromkeys(nox.project.dependency_groups(PROJECT, *groups)))


def package_dir(version: str) -> str:
    return f"packages/flash-attn-npu-{version}"


def module_name(version: str) -> str:
    return f"flash_attn_npu_{version}"


def output_dir(session: nox.Session) -> Path:
    """build/<session>/, where a session leaves its results."""
    directory = ROOT / "build" / session.name
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def python(
    session: nox.Session, *arguments: str | Path, env: dict[str, str] | None = None, silent: bool = False
) -> None:
    """Runs the session's own python, or that of the shared environment in a session that has none."""
    program = "python"
    if session.venv_backend == "none":
        program = str(BOTH_WHEELS / "bin" / "python")
        if not Path(program).exists():
            session.run(sys.executable, "-m", "venv", "--clear", BOTH_WHEELS, external=True)
    session.run(program, *arguments, env=env, silent=silent, external=True)


def install(session: nox.Session, *arguments: str | Path) -> None:
    python(session, "-m", "pip", "install", "-q", *arguments)


def build_wheel(session: nox.Session, version: str, kind: str = "release", test_isas: bool = False) -> Path:
    """Builds one wheel from the package directory (incrementally) and returns its path."""
    directory = ROOT / "build" / "wheels" / f"{version}-{kind}{'-test-isas' if test_isas else ''}"
    shutil.rmtree(directory, ignore_errors=True)
    environ = {"FLASH_ATTN_NPU_BUILD_TYPE": kind, "FLASH_ATTN_NPU_TEST_ISAS": "1" if test_isas else "0"}
    python(session, "-m", "pip", "wheel", "-q", "--no-deps", "-w", directory, package_dir(version), env=environ)
    (wheel,) = directory.glob("*.whl")
    return wheel


def install_release_wheels(session: nox.Session, *versions: str) -> None:
    """Installs freshly built wheels. Their version is the one already installed, hence the force."""
    wheels = [build_wheel(session, version) for version in versions]
    install(session, "--no-deps", "--force-reinstall", *wheels)


def unpack_wheel(session: nox.Session, wheel: Path, directory: Path) -> dict[str, str]:
    """Installs a wheel of a special kind beside the environment; returns the variables that put it first."""
    shutil.rmtree(directory, ignore_errors=True)
    python(session, "-m", "pip", "install", "-q", "--no-deps", "--target", directory, wheel)
    return {"PYTHONPATH": str(directory)}


def run_tests(session: nox.Session, *arguments: str, env: dict[str, str] | None = None) -> None:
    python(session, "-m", "pytest", "-n", "auto", *arguments, env=env)


def install_for_scripts(session: nox.Session) -> None:
    """Brings the environment with both wheels up to date, for the programs in tests/."""
    install(session, *requirements("test", "plot"))
    install_release_wheels(session, *VERSIONS)


def run_script(session: nox.Session, script: str) -> None:
    """Runs a program of tests/, which writes to build/<session>/."""
    install_for_scripts(session)
    output_dir(session)
    python(session, script, *session.posargs)


@nox.session(name="test-v2")
def test_v2(session: nox.Session) -> None:
    """Tests of flash-attn-npu-v2, with only its own wheel installed. -- PYTEST_ARGS"""
    test_package(session, "v2")


@nox.session(name="test-v3")
def test_v3(session: nox.Session) -> None:
    """Tests of flash-attn-npu-v3, with only its own wheel installed. -- PYTEST_ARGS"""
    test_package(session, "v3")


def test_package(session: nox.Session, version: str) -> None:
    install(session, *requirements("test"))
    install_release_wheels(session, version)
    run_tests(session, f"tests/{version}", *session.posargs)


@nox.session(name="test-common", venv_backend="none")
def test_common(session: nox.Session) -> None:
    """Tests of all the rest, with both wheels: reference, harness, SIMD, comparison, benchmark, demo. -- PYTEST_ARGS"""
    install_for_scripts(session)
    directories = {path.parent for path in (ROOT / "tests").glob("*/test_*.py")}
    without_session = [path for path in directories if path.name not in TESTS_WITH_SESSION]
    run_tests(session, *sorted(str(path.relative_to(ROOT)) for path in without_session), *session.posargs)


@nox.session(name="test-twin", venv_backend="none")
def test_twin(session: nox.Session) -> None:
    """Tests of the twin, Ascend C on a host CPU, and of the Ascend kernels on it. -- PYTEST_ARGS"""
    install(session, *requirements("test", "plot"), "ninja>=1.11")
    run_tests(session, "packages/ascend-twin/tests", *session.posargs)


@nox.session(name="test-ascend", venv_backend="none")
def test_ascend(session: nox.Session) -> None:
    """The API's tests on the Ascend kernels, run by the twin, and a subset in check mode. -- PYTEST_ARGS"""
    install_for_scripts(session)
    install(session, "ninja>=1.11")
    python(session, "-m", "emulation.twin.build", DEVICE_LIBRARY.parent)
    env = {"FLASH_ATTN_NPU_TEST_BACKEND": "twin", "FLASH_ATTN_NPU_DEVICE_LIB": str(ROOT / DEVICE_LIBRARY)}
    api_tests = [f"tests/{version}" for version in VERSIONS]
    for seed in TWIN_SEEDS:
        session.log(f"check mode, cores take turns by seed {seed}")
        checked = {**env, "FLASH_ATTN_NPU_TWIN_MODE": "check", "FLASH_ATTN_NPU_TWIN_SEED": seed}
        run_tests(session, "-m", "portable", *api_tests, *session.posargs, env=checked)
    # The tests' small calls would hardly ever be worth a fast path: here it is taken wherever it can serve.
    fast = {**env, "FLASH_ATTN_NPU_DEVICE_KERNELS": "fast"}
    run_tests(session, *api_tests, "tests/device/twin", *session.posargs, env=fast)


@nox.session(name="test-npu-emulated")
def test_npu_emulated(session: nox.Session) -> None:
    """Both wheels on npu tensors: the real torch_npu over an emulated ACL runtime. -- PYTEST_ARGS"""
    install(session, *requirements("npu-emulated"))
    install_release_wheels(session, *VERSIONS)
    out = f"build/{session.name}"
    python(session, "-m", "ascend_twin.acl", f"{out}/acl")
    python(session, "-m", "emulation.cpu.build", f"{out}/cpu-device")
    python(session, "-m", "emulation.twin.build", f"{out}/twin")
    libraries = str(ROOT / out / "acl" / "lib")
    report = ROOT / out / "report.txt"
    report.unlink(missing_ok=True)

    def run(device: str, task_queue: int, *arguments: str, **more: str) -> None:
        env = {
            "LD_LIBRARY_PATH": libraries,
            "ASCEND_TWIN_ACL_LIB_DIR": libraries,
            "ASCEND_TWIN_ACL_REPORT": str(report),
            "FLASH_ATTN_NPU_TEST_TWIN_LIB": str(ROOT / out / "twin" / "_twin.so"),
            "FLASH_ATTN_NPU_DEVICE_LIB": str(ROOT / out / device),
            "TASK_QUEUE_ENABLE": str(task_queue),  # torch_npu's host queue: off, one thread, two threads
            **more,
        }
        try:
            run_tests(session, *arguments, *session.posargs, env=env)
        finally:
            if report.exists():  # what the runtime said before it ended a process
                session.log(report.read_text())

    # What torch_npu, streams and our host side do does not depend on the kernels: the cpu backend stands in for them.
    run("cpu-device/_cpu_device.so", 0, "tests/device/npu")
    # With launches that take their time the task queue is never empty when a call of ours comes.
    for task_queue in (1, 2):
        slow = {"ASCEND_TWIN_ACL_DISPATCH_US": "200", "FLASH_ATTN_NPU_TEST_LAUNCH_US": "300"}
        run("cpu-device/_cpu_device.so", task_queue, "tests/device/npu", "-m", "order", **slow)
    # Without torch's cache every tensor is an allocation of its own: checker and guard pages know where it ends.
    checked = {"FLASH_ATTN_NPU_TWIN_MODE": "check", "PYTORCH_NO_NPU_MEMORY_CACHING": "1"}
    run("twin/_twin.so", 0, "tests/device/npu", "-m", "kernels", **checked)


@nox.session(venv_backend="none")
def simulate(session: nox.Session) -> None:
    """Predicted time on the 910B: tables, traces, pictures. -- decode|prefill|all|SHAPE | FILE:NAME"""
    env = {"PYTHONPATH": str(ROOT / "packages" / "ascend-twin" / "src")}
    what = session.posargs[0] if session.posargs else "all"
    if what not in ("decode", "prefill", "all") and "=" not in what:
        install(session, *requirements("test", "plot"))
        python(session, "-m", "ascend_twin", "simulate", *session.posargs, env=env)
        return
    install_for_scripts(session)
    install(session, "ninja>=1.11")
    python(session, "-m", "emulation.twin.build", DEVICE_LIBRARY.parent)
    env["FLASH_ATTN_NPU_DEVICE_LIB"] = str(ROOT / DEVICE_LIBRARY)
    arguments = session.posargs or ["all", "--corners"]
    python(session, "-m", "benchmarks.predict", *arguments, "--out", output_dir(session), env=env)


@nox.session(name="test-build")
def test_build(session: nox.Session) -> None:
    """Tests of the build machinery: toolchain checks, source list, build.ninja, sdist contents. -- PYTEST_ARGS"""
    install(session, "pytest", "pytest-xdist", "hatchling>=1.27", "ninja>=1.11", "build")
    install(
        session, "--no-deps", *(r for r in requirements("npu-emulated") if r.startswith("torch-npu"))
    )  # ACL headers
    run_tests(session, "--confcutdir=tests/build", "tests/build", *session.posargs)


@nox.session(venv_backend="none")
def compare(session: nox.Session) -> None:
    """Same inputs through v2 and v3: a table of error vs float64 and of time, and a plot in build/compare/."""
    run_script(session, "benchmarks/compare/run.py")


@nox.session(venv_backend="none")
def bench(session: nox.Session) -> None:
    """Times against PyTorch's attention and the machine's limits: a table, bench.json and a plot in build/bench/."""
    run_script(session, "benchmarks/cpu/run.py")


@nox.session(venv_backend="none")
def demo(session: nox.Session) -> None:
    """A server's continuous-batching decode loop on a paged KV cache, checked step by step against the reference."""
    run_script(session, "examples/decode_loop/run.py")


@nox.session(venv_backend="none")
def fuzz(session: nox.Session) -> None:
    """Random calls over the whole argument space of each API. -- NUMBER_OF_CALLS; prints seed and failing call."""
    run_script(session, "tests/support/fuzz.py")


@nox.session(venv_backend="none")
def sanitize(session: nox.Session) -> None:
    """A test subset under AddressSanitizer and UBSan. -- [v2|v3 ...] (default: both)"""
    install(session, *requirements("test", "plot"))
    libraries = [compiler_file(session, name) for name in ("libasan.so", "libubsan.so", "libstdc++.so")]
    for version in chosen_versions(session):
        reports = output_dir(session) / f"reports-{version}"
        shutil.rmtree(reports, ignore_errors=True)
        reports.mkdir()
        wheel = build_wheel(session, version, kind="sanitize", test_isas=True)
        env = unpack_wheel(session, wheel, output_dir(session) / f"site-{version}")
        check_import(session, version, {**env, **sanitizer_env(libraries, reports)})
        try:
            run_tests(session, "-m", "sanitize", f"tests/{version}", env={**env, **sanitizer_env(libraries, reports)})
        finally:
            for report in sorted(reports.iterdir()):
                session.log(f"--- {report.relative_to(ROOT)}\n{report.read_text(errors='replace')}")
        if any(reports.iterdir()):
            session.error("The sanitizers reported the errors above.")


def sanitizer_env(libraries: list[str], reports: Path) -> dict[str, str]:
    # libstdc++ is preloaded too: python does not link it, and ASan looks up __cxa_throw once, at start.
    # Reports go to files: what a crashing xdist worker writes to stderr is lost.
    return {
        "LD_PRELOAD": " ".join(libraries),
        "ASAN_OPTIONS": f"detect_leaks=0:log_path={reports}/asan",
        "UBSAN_OPTIONS": f"print_stacktrace=1:log_path={reports}/ubsan",
    }


def compiler_file(session: nox.Session, name: str) -> str:
    """Path of a library of the compiler that builds the extension."""
    compiler = os.environ.get("CXX", "g++")
    path = subprocess.run(
        [*compiler.split(), f"-print-file-name={name}"], text=True, capture_output=True
    ).stdout.strip()
    if not os.path.isabs(path):
        session.error(f"{compiler} has no {name}: install the sanitizer runtimes (libasan, libubsan).")
    return path


@nox.session(venv_backend="none")
def portable(session: nox.Session) -> None:
    """A test subset on each ISA level the CPU can run, by force; backend and twin for aarch64 under qemu-user."""
    install(session, *requirements("test", "plot"))
    run_smoke_tests(session, "native", {})
    run_aarch64_smoke_tests(session)
    failed = []
    for version in chosen_versions(session):
        wheel = build_wheel(session, version, test_isas=True)
        env = unpack_wheel(session, wheel, output_dir(session) / f"site-{version}")
        check_import(session, version, env)
        for isa, needed in FORCED_ISAS.items():
            missing = [flag for flag in needed if flag not in cpu_flags()]
            if missing:
                session.warn(f"NOT RUN: {isa} on {version}: this CPU has no {', '.join(missing)}")
                continue
            session.log(f"{version}, ISA level {isa}")
            try:
                run_tests(
                    session,
                    "-m",
                    "portable",
                    f"tests/{version}",
                    env={**env, "FLASH_ATTN_NPU_CPU_ISA": isa},
                )
            except nox.command.CommandFailed:
                failed.append(f"{version} on {isa}")  # a fault of one level and a fault of all are different finds
    if failed:
        session.error(f"Failed: {', '.join(failed)}")


def run_aarch64_smoke_tests(session: nox.Session) -> None:
    if not all(shutil.which(program) for program in (CROSS_COMPILER, CROSS_EMULATOR)):
        if os.geteuid() == 0 and shutil.which("apt-get"):
            session.run("apt-get", "update", "-qq", external=True)
            session.run("apt-get", "install", "-y", "-qq", *CROSS_PACKAGES, external=True, silent=True)
        else:
            session.warn(f"NOT RUN: aarch64 under qemu-user. It needs: apt-get install {' '.join(CROSS_PACKAGES)}")
            return
    run_smoke_tests(session, "aarch64", {"CXX": CROSS_COMPILER}, CROSS_EMULATOR, "-L", CROSS_LIBRARIES)


def run_smoke_tests(session: nox.Session, name: str, env: dict[str, str], *emulator: str) -> None:
    """Compiles the stand-alone smoke tests of the cpu backend and of the twin and runs them."""
    install(session, "ninja>=1.11")
    directory = f"build/{session.name}/smoke-test-{name}"
    python(session, "-m", "buildtools.program", directory, env=env)
    session.run(*emulator, f"{directory}/smoke_test", external=True)
    twin = (TWIN_SMOKE_TEST, f"{directory}/twin_smoke_test", "-Ikernels-common/ascend", "-Ikernels-common/include")
    python(session, "-m", "ascend_twin.program", *twin, env={**env, "PYTHONPATH": "packages/ascend-twin/src/ascend_twin"})
    session.run(*emulator, f"{directory}/twin_smoke_test", external=True)


def chosen_versions(session: nox.Session) -> tuple[str, ...]:
    unknown = [argument for argument in session.posargs if argument not in VERSIONS]
    if unknown:
        session.error(f"Arguments of this session are {' and '.join(VERSIONS)}, not {' '.join(unknown)}")
    return tuple(session.posargs) or VERSIONS


def check_import(session: nox.Session, version: str, env: dict[str, str]) -> None:
    """Fails unless the tests to come will import the special build and not the release wheel."""
    code = (
        f"import {module_name(version)} as module, os; path = os.path.realpath(module.__file__);"
        f"expected = os.path.realpath({env['PYTHONPATH']!r});"
        "assert path.startswith(expected), f'{path} was imported, and not the build in {expected}'"
    )
    python(session, "-c", code, env=env, silent=True)


def cpu_flags() -> set[str]:
    """Instruction sets of this CPU by the kernel's names; empty where /proc/cpuinfo has none (aarch64)."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("flags"):
            return set(line.split(":", 1)[1].split())
    return set()


@nox.session
def lint(session: nox.Session) -> None:
    """ruff check, ruff format, clang-format, mypy, device sources. -- --fix repairs what can be repaired."""
    install(session, *requirements("lint"))
    fix = "--fix" in session.posargs
    failed = []

    def check(*command: str, path: str = "") -> None:
        try:
            session.run(*command, env={"MYPYPATH": path})
        except nox.command.CommandFailed:
            failed.append(" ".join(command[:3]))  # go on: one run shows what every tool has to say

    check("ruff", "check", *(["--fix"] if fix else []), ".")
    check("ruff", "format", *([] if fix else ["--check"]), ".")
    check("clang-format", *(["-i"] if fix else ["--dry-run", "--Werror"]), *cpp_files())
    check("python", "ci/device_lint.py")
    check("mypy", "noxfile.py")
    check("mypy", "kernels-common/buildtools", path="kernels-common/buildtools")
    check("mypy", "ci", path="ci")
    check("mypy", "packages/ascend-twin/src/ascend_twin/ascend_twin", path="packages/ascend-twin/src/ascend_twin")
    # The shared Python is checked twice, as each package sees it through its _common symlink.
    for version in VERSIONS:
        source_dir = f"{package_dir(version)}/src"
        check("mypy", f"{source_dir}/{module_name(version)}", path=source_dir)
    if failed:
        session.error(f"Failed: {', '.join(failed)}")


def cpp_files() -> list[str]:
    """C++ files in the work tree that git tracks or would track; symlinks into kernels-common count once."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.cpp", "*.h", "*.cc"]
    listing = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=True).stdout
    return sorted(path for path in set(listing.splitlines()) if (ROOT / path).is_file())


@nox.session
def build(session: nox.Session) -> None:
    """sdists and manylinux wheels of both packages into dist/, checked with twine. -- [v2|v3 ...]"""
    install(session, *requirements("distribute"))
    python(session, "ci/distributions.py", "--out", "dist", *chosen_versions(session))


@nox.session
def release(session: nox.Session) -> None:
    """Checks and builds a release of one package. -- v2|v3 [--upload] [--repository-url URL]; see docs/releasing.md."""
    install(session, *requirements("distribute"))
    python(session, "ci/release.py", *session.posargs)


@nox.session(name="test-release")
def test_release(session: nox.Session) -> None:
    """Tests of the release session: every refusal, and an upload to a package server on this machine. -- PYTEST_ARGS"""
    install(session, *requirements("release-test"))
    python(session, "-m", "pytest", "--confcutdir=tests/release", "tests/release", *session.posargs)
