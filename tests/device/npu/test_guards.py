# SPDX-License-Identifier: BSD-3-Clause
"""What a device would answer with garbage or an exception of its own is reported here, with the place and the cause."""

from __future__ import annotations

import re

import pytest

from tests.device.npu.subprocesses import last_words_of, output_of

# Launches a Python function as a kernel. Without torch's cache every tensor is an allocation of its own.
LAUNCH = """
import ctypes
runtime = ctypes.CDLL("libascendcl.so")
KERNEL = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_void_p)
NOTHING = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
kept = []
def launch(function):
    def run(_):
        function()
        return 0.0
    kept.extend([KERNEL(run), NOTHING(lambda _: None)])
    stream = ctypes.c_void_p(torch.npu.current_stream().npu_stream)
    runtime.acl_emulated_launch(stream, b"test kernel", kept[-2], None, kept[-1])
x = torch.zeros(1000, dtype=torch.uint8, device="npu")
begin, bytes_ = ctypes.c_uint64(), ctypes.c_uint64()
assert runtime.acl_emulated_find(ctypes.c_void_p(x.data_ptr()), ctypes.byref(begin), ctypes.byref(bytes_))
end = begin.value + bytes_.value
torch.npu.synchronize()
"""
NO_CACHE = {"PYTORCH_NO_NPU_MEMORY_CACHING": "1"}


def test_a_kernel_may_touch_its_memory() -> None:
    code = """
    launch(lambda: ctypes.memset(x.data_ptr(), 7, 1000))
    print(int(x.sum()))
    """
    assert output_of(LAUNCH + code.replace("\n    ", "\n"), **NO_CACHE) == "7000\n"


@pytest.mark.parametrize(
    "touch, report",
    [
        ("ctypes.memset(end, 1, 64)", r"out of bounds, \d+ bytes past the end of an allocation of \d+ bytes"),
        ("ctypes.memset(end + 100, 1, 1)", r"out of bounds, 100 bytes past the end"),
        ("ctypes.string_at(begin.value // 4096 * 4096 - 1, 1)", r"out of bounds, \d+ bytes before an allocation"),
    ],
)
def test_out_of_bounds(touch: str, report: str) -> None:
    words = last_words_of(f"{LAUNCH}launch(lambda: {touch})\ntorch.npu.synchronize()", **NO_CACHE)
    assert re.search(rf"task 'test kernel' touched 0x[0-9a-f]+: {report}", words), words


def test_use_after_free() -> None:
    code = f"{LAUNCH}address = x.data_ptr()\ndel x\nlaunch(lambda: ctypes.memset(address + 5, 1, 1))\n"
    words = last_words_of(f"{code}torch.npu.synchronize()", **NO_CACHE)
    assert re.search(r"task 'test kernel' touched 0x[0-9a-f]+: use after free, byte \d+ of an allocation", words), words


def test_memory_of_another_device() -> None:
    code = f'{LAUNCH}y = torch.ones(8, device="npu:1")\ntorch.npu.synchronize(1)\n'
    words = last_words_of(
        f"{code}launch(lambda: ctypes.memset(y.data_ptr(), 1, 1))\ntorch.npu.synchronize()", **NO_CACHE
    )
    assert re.search(r"task 'test kernel' touched .*memory of another device, .* on device 1", words), words


def test_bytes_beside_an_allocation() -> None:
    """Between the end of an allocation and its guard page are a few bytes: written ones show when it is freed."""
    code = f"""{LAUNCH}
stream = torch.npu.current_stream()
address = ctypes.c_void_p()
assert runtime.aclrtMalloc(ctypes.byref(address), ctypes.c_size_t(100), 0) == 0
launch(lambda: ctypes.memset(address.value + 100, 1, 1))
torch.npu.synchronize()
runtime.aclrtFree(address)
"""
    assert "byte 100 of an allocation of 100 bytes" in last_words_of(code)


def test_host_code_cannot_read_device_memory() -> None:
    words = last_words_of(f"{LAUNCH}ctypes.string_at(x.data_ptr() + 3, 1)")
    assert re.search(r"host code touched 0x[0-9a-f]+: device memory that the host cannot access, byte \d+", words), (
        words
    )


def test_fresh_memory_is_not_zero() -> None:
    assert output_of('print(torch.empty(5, device="npu").isnan().all().item())') == "True\n"


@pytest.mark.parametrize("task_queue", ["0", "1", "2"])
def test_unknown_operators_are_named(task_queue: str) -> None:
    words = last_words_of('print(torch.erfinv(torch.ones(3, device="npu")))', TASK_QUEUE_ENABLE=task_queue)
    assert "(operator Erfinv) was called: the emulated runtime does not implement it" in words, words


def test_unknown_functions_are_named() -> None:
    words = last_words_of('import ctypes\nctypes.CDLL("libascendcl.so").rtKernelLaunch()')
    assert "rtKernelLaunch was called: the emulated runtime does not implement it" in words, words


def test_wrong_handles_are_named() -> None:
    words = last_words_of('import ctypes\nctypes.CDLL("libascendcl.so").aclrtSynchronizeStream(ctypes.c_void_p(8))')
    assert "aclrtSynchronizeStream with a handle that is not a stream" in words, words


def test_a_failed_launch_reaches_the_user() -> None:
    code = f"""{LAUNCH}
launch(lambda: runtime.acl_emulated_fail(b"the kernel found a wrong page"))
try:
    torch.npu.synchronize()
except RuntimeError as error:
    print("the kernel found a wrong page" in str(error))
"""
    assert output_of(code).splitlines()[0] == "True"


def test_event_times_are_the_models_on_request() -> None:
    code = f"""{LAUNCH}
start, end = torch.npu.Event(enable_timing=True), torch.npu.Event(enable_timing=True)
def launch_of(us):
    kept.extend([KERNEL(lambda _: us), NOTHING(lambda _: None)])
    runtime.acl_emulated_launch(ctypes.c_void_p(torch.npu.current_stream().npu_stream), b"k", kept[-2], None, kept[-1])
start.record()
launch_of(1500.0)
launch_of(250.0)
end.record()
end.synchronize()
print(round(start.elapsed_time(end), 6))
"""
    assert output_of(code, ASCEND_TWIN_ACL_TIME="cycles") == "1.75\n"
