# SPDX-License-Identifier: BSD-3-Clause
"""ASCEND_TWIN_ACL_TIME=cycles: torch's events give the time that the twin's cycle model predicts for the kernels."""

from __future__ import annotations

import os

from tests.device.npu.subprocesses import output_of

CODE = """
from flash_attn_npu_v3 import flash_attn_with_kvcache
def milliseconds(keys):
    q = torch.ones(1, 1, 8, 128, dtype=torch.float16, device="npu")
    cache = torch.ones(1, keys, 8, 128, dtype=torch.float16, device="npu")
    start, end = torch.npu.Event(enable_timing=True), torch.npu.Event(enable_timing=True)
    start.record()
    flash_attn_with_kvcache(q, cache, cache)
    end.record()
    end.synchronize()
    return start.elapsed_time(end)
print(milliseconds(256), milliseconds(8192), milliseconds(256))
"""


def test_events_are_stamped_by_the_cycle_model() -> None:
    env = {
        "ASCEND_TWIN_ACL_TIME": "cycles",
        "FLASH_ATTN_NPU_TWIN_MODE": "cycles",
        "FLASH_ATTN_NPU_DEVICE_LIB": os.environ["FLASH_ATTN_NPU_TEST_TWIN_LIB"],
    }
    short, long, again = map(float, output_of(CODE, **env).split())
    # The host takes milliseconds; the model knows nothing of the host, so a call costs the same every time.
    # The same cycles; torch gives milliseconds as differences of larger numbers.
    assert abs(short - again) < 1e-6 * short, f"{short} and {again} ms for the same call"
    # 8192 keys of 8 heads are 32 MB; 1.8 TB/s is all that the memory gives.
    assert 0 < short < long and 32 / 1.8e3 < long < 1, f"{short} and {long} ms"
