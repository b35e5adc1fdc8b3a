# SPDX-License-Identifier: BSD-3-Clause
"""The one entry point for building, testing and measuring. `nox -l` lists the sessions.

Arguments after `--` go to what the session runs:  nox -s test-v3 -- -k paged -x
Outputs go to build/<session>/ and dist/. Environments are kept in .nox/ and reused: delete it to start afresh.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import nox

ROOT = Path(__file__).resolve().parent

# By its file: nox does not look for packages beside the noxfile.
_spec = importlib.util.spec_from_file_location("ci", ROOT / "ci" / "__init__.py")
assert _spec is not None and _spec.loader is not None
sys.modules["ci"] = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(sys.modules["ci"])

from ci import emulation, lint_commands, portability, sanitizers, testing  # noqa: E402
from ci.environments import install, output_dir, python, requirements  # noqa: E402
from ci.packages import PACKAGES, named  # noqa: E402
from ci.testing import install_all, run_program, run_tests  # noqa: E402
from ci.wheels import install_release_wheels  # noqa: E402

nox.needs_version = ">=2024.10.9"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["lint", "test-build", "test-common", "test-v2", "test-v3"]


@nox.session
def lint(session: nox.Session) -> None:
    """ruff check, ruff format, clang-format, mypy, device sources, style. -- --fix repairs what can be repaired."""
    install(session, *requirements("lint"))
    failed = []
    for command in lint_commands.commands(fix="--fix" in session.posargs):
        try:
            session.run(*command, env={"MYPYPATH": lint_commands.MYPYPATH})
        except nox.command.CommandFailed:
            failed.append(" ".join(command[:3]))  # go on: one run shows what every tool has to say
    if failed:
        session.error(f"Failed: {', '.join(failed)}")


@nox.session(name="test-build")
def test_build(session: nox.Session) -> None:
    """Tests of the build machinery: toolchain checks, sources, build.ninja, wheels and sdists. -- PYTEST_ARGS"""
    install(session, *requirements("build-test"))
    headers = [requirement for requirement in requirements("npu-emulated") if requirement.startswith("torch-npu")]
    install(session, "--no-deps", *headers)  # the ACL headers are in it; it is not imported
    run_tests(session, "--confcutdir=tests/build", testing.BUILD, *session.posargs)


@nox.session(name="test-common", venv_backend="none")
def test_common(session: nox.Session) -> None:
    """Tests of what the API's tests stand on, and of benchmarks and examples, with all wheels. -- PYTEST_ARGS"""
    install_all(session)
    run_tests(session, *testing.COMMON, *session.posargs)


@nox.session(name="test-v2")
def test_v2(session: nox.Session) -> None:
    """Tests of flash-attn-npu-v2, with only its own wheel installed. -- PYTEST_ARGS"""
    testing.test_api(session, named("v2"))


@nox.session(name="test-v3")
def test_v3(session: nox.Session) -> None:
    """Tests of flash-attn-npu-v3, with only its own wheel installed. -- PYTEST_ARGS"""
    testing.test_api(session, named("v3"))


@nox.session(name="test-twin")
def test_twin(session: nox.Session) -> None:
    """Tests of ascend-twin, with only its own wheel installed. -- PYTEST_ARGS"""
    install(session, *requirements("twin-test"))
    install_release_wheels(session, named("twin"))
    session.chdir(named("twin").directory)  # so that nothing of the repository is found but by the wheel
    run_tests(session, "tests", *session.posargs)


@nox.session(name="test-ascend", venv_backend="none")
def test_ascend(session: nox.Session) -> None:
    """The Ascend kernels on the twin: one by one, and through the API, in check mode too. -- PYTEST_ARGS"""
    install_all(session)
    emulation.test_on_twin(session)


@nox.session(name="test-npu-emulated")
def test_npu_emulated(session: nox.Session) -> None:
    """All wheels on npu tensors: the real torch_npu over an emulated ACL runtime. -- PYTEST_ARGS"""
    install(session, *requirements("npu-emulated"))
    install_release_wheels(session)
    emulation.test_on_npu(session)


@nox.session(venv_backend="none")
def simulate(session: nox.Session) -> None:
    """Predicted time on the 910B: tables, traces, pictures. -- decode|prefill|all|SHAPE | FILE:NAME"""
    install_all(session)
    what = session.posargs[0] if session.posargs else "all"
    if what not in ("decode", "prefill", "all") and "=" not in what:
        python(session, "-m", "ascend_twin", "simulate", *session.posargs)
        return
    arguments = session.posargs or ["all", "--corners"]
    env = {"FLASH_ATTN_NPU_DEVICE_LIB": str(emulation.build_device_library(session))}
    python(session, "-m", "benchmarks.predict", *arguments, "--out", output_dir(session), env=env)


@nox.session(venv_backend="none")
def compare(session: nox.Session) -> None:
    """Same inputs through v2 and v3: a table of error vs float64 and of time, and a plot in build/compare/."""
    run_program(session, "benchmarks.compare")


@nox.session(venv_backend="none")
def bench(session: nox.Session) -> None:
    """Times against PyTorch's attention and the machine's limits: a table, bench.json and a plot in build/bench/."""
    run_program(session, "benchmarks.cpu")


@nox.session(venv_backend="none")
def demo(session: nox.Session) -> None:
    """A server's continuous-batching decode loop on a paged KV cache, checked step by step against the reference."""
    run_program(session, "examples.decode_loop")


@nox.session(venv_backend="none")
def fuzz(session: nox.Session) -> None:
    """Random calls over the whole argument space of each API. -- NUMBER_OF_CALLS; prints seed and failing call."""
    run_program(session, "tests.support.fuzz")


@nox.session(venv_backend="none")
def sanitize(session: nox.Session) -> None:
    """A test subset under AddressSanitizer and UBSan. -- [v2|v3 ...] (default: both)"""
    sanitizers.sanitize(session)


@nox.session(venv_backend="none")
def portable(session: nox.Session) -> None:
    """A test subset on each ISA level of the CPU; cpu backend and twin for aarch64 under qemu-user. -- [v2|v3 ...]"""
    portability.portable(session)


@nox.session
def build(session: nox.Session) -> None:
    """sdists and wheels of all packages into dist/, checked with twine. -- [v2|v3|twin ...]"""
    install(session, *requirements("distribute"))
    packages = testing.packages_of(session, PACKAGES)
    python(session, "-m", "ci.distributions", "--out", "dist", *(package.name for package in packages))


@nox.session
def release(session: nox.Session) -> None:
    """Checks and builds a release of one package: docs/releasing.md. -- v2|v3|twin [--upload] [--repository-url URL]"""
    install(session, *requirements("distribute"))
    python(session, "-m", "ci.release", *session.posargs)


@nox.session(name="test-release")
def test_release(session: nox.Session) -> None:
    """Tests of the release session: every refusal, and an upload to a package server on this machine. -- PYTEST_ARGS"""
    install(session, *requirements("release-test"))
    python(session, "-m", "pytest", f"--confcutdir={testing.RELEASE}", testing.RELEASE, *session.posargs)
