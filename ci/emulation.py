# SPDX-License-Identifier: BSD-3-Clause
"""Tests on device libraries that stand in for the 910B's."""

from __future__ import annotations

from pathlib import Path

import nox

from .environments import output_dir, python
from .packages import ROOT
from .testing import API, ASCEND_KERNELS, DEVICE_ON_NPU, DEVICE_ON_TWIN, run_tests

TWIN_SEEDS = ("0", "1", "2")  # orders in which cores take turns


def build_device_library(session: nox.Session) -> Path:
    """The Ascend kernels and their host half, built for the twin, in a directory that sessions share."""
    python(session, "-m", "emulation.twin.build", "build/device-twin")
    return ROOT / "build" / "device-twin" / "_twin.so"


def test_on_twin(session: nox.Session) -> None:
    """Kernels one by one, and the API's tests on the device library: checked, and on the fast paths."""
    run_tests(session, ASCEND_KERNELS, *session.posargs)
    library = str(build_device_library(session))
    env = {"FLASH_ATTN_NPU_TEST_BACKEND": "twin", "FLASH_ATTN_NPU_DEVICE_LIB": library}
    for seed in TWIN_SEEDS:
        session.log(f"check mode, cores take turns by seed {seed}")
        checked = {**env, "FLASH_ATTN_NPU_TWIN_MODE": "check", "FLASH_ATTN_NPU_TWIN_SEED": seed}
        run_tests(session, "-m", "portable", API, *session.posargs, env=checked)
    # The tests' small calls would hardly ever be worth a fast path: here it is taken wherever it can serve.
    fast = {**env, "FLASH_ATTN_NPU_DEVICE_KERNELS": "fast"}
    run_tests(session, API, DEVICE_ON_TWIN, *session.posargs, env=fast)


def test_on_npu(session: nox.Session) -> None:
    """Our packages under the real torch_npu, on the emulated ACL runtime."""
    out = output_dir(session)
    relative = out.relative_to(ROOT)
    python(session, "-m", "ascend_twin.acl", f"{relative}/acl")
    python(session, "-m", "emulation.cpu.build", f"{relative}/cpu-device")
    python(session, "-m", "emulation.twin.build", f"{relative}/twin")
    cpu, twin = f"{out}/cpu-device/_cpu_device.so", f"{out}/twin/_twin.so"
    report = out / "report.txt"
    report.unlink(missing_ok=True)

    def run(device: str, task_queue: int, *arguments: str, **more: str) -> None:
        env = {
            "LD_LIBRARY_PATH": f"{out}/acl/lib",
            "ASCEND_TWIN_ACL_LIB_DIR": f"{out}/acl/lib",
            "ASCEND_TWIN_ACL_REPORT": str(report),
            "FLASH_ATTN_NPU_TEST_TWIN_LIB": twin,
            "FLASH_ATTN_NPU_DEVICE_LIB": device,
            "TASK_QUEUE_ENABLE": str(task_queue),  # torch_npu's host queue: off, one thread, two threads
            **more,
        }
        try:
            run_tests(session, DEVICE_ON_NPU, *arguments, *session.posargs, env=env)
        finally:
            if report.exists():  # what the runtime said before it ended a process
                session.log(report.read_text())

    # What torch_npu, streams and our host side do does not depend on the kernels: the cpu backend stands in for them.
    run(cpu, 0)
    # With launches that take their time the task queue is never empty when a call of ours comes.
    for task_queue in (1, 2):
        run(cpu, task_queue, "-m", "order", ASCEND_TWIN_ACL_DISPATCH_US="200", FLASH_ATTN_NPU_TEST_LAUNCH_US="300")
    # Without torch's cache every tensor is an allocation of its own: checker and guard pages know where it ends.
    run(twin, 0, "-m", "kernels", FLASH_ATTN_NPU_TWIN_MODE="check", PYTORCH_NO_NPU_MEMORY_CACHING="1")
