# SPDX-License-Identifier: BSD-3-Clause
"""Tiling data and tiling keys, as kernels of operator projects use them.

The macros come from those projects' build: the source is no file of kernels/, which compile against the vendor's
headers.
"""

from __future__ import annotations

import numpy as np
import pytest
from ascend_twin import load
from ascend_twin.machine import Out

SOURCE = r"""#include "kernel_operator.h"

using namespace AscendC;

struct TilingData {
    uint32_t length;
    uint16_t tiles;
    uint8_t flag;
    float scale;
    uint64_t list[3];
};
struct Other {
    uint64_t words[4];
};

namespace {

struct Results {
    GlobalTensor<int64_t> out;
    uint64_t at = 0;
    __aicore__ inline Results(GM_ADDR to) { out.SetGlobalBuffer(reinterpret_cast<__gm__ int64_t*>(to)); }
    __aicore__ inline void operator()(int64_t value) { out.SetValue(at++, value); }
};

}  // namespace

extern "C" __global__ __aicore__ void plain(GM_ADDR out, GM_ADDR tiling) {
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    GET_TILING_DATA(data, tiling);
    if ASCEND_IS_AIV {
        Results r(out);
        r(data.length);
        r(data.tiles);
        r(data.flag);
        r(static_cast<int64_t>(data.scale));
        r(static_cast<int64_t>(data.list[2]));
    }
}

extern "C" __global__ __aicore__ void registered(GM_ADDR out, GM_ADDR tiling) {
    REGISTER_TILING_DEFAULT(Other);
    REGISTER_TILING_FOR_TILINGKEY("TILING_KEY_VAR == 3", TilingData);
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    if ASCEND_IS_AIV {
        Results r(out);
        if (TILING_KEY_IS(1)) {
            GET_TILING_DATA(data, tiling);
            r(1);
            r(static_cast<int64_t>(data.words[3]));
        } else if (TILING_KEY_LIST(2, 4)) {
            GET_TILING_DATA_MEMBER(Other, words, words, tiling);
            r(2);
            r(static_cast<int64_t>(words[1]));
        } else if (TILING_KEY_IS(3)) {
            GET_TILING_DATA_WITH_STRUCT(TilingData, data, tiling);
            r(3);
            r(data.length);
        } else if (TILING_KEY_IS(5)) {
            GET_TILING_DATA_PTR_WITH_STRUCT(Other, data, tiling);
            COPY_TILING_WITH_ARRAY(uint64_t, 4, data->words, words);
            r(5);
            r(static_cast<int64_t>((*words)[2] + data->words[0]));
        }
    }
}
"""


def test_tiling_data():
    kind = np.dtype({"names": ["length", "tiles", "flag", "scale", "list"], "formats": ["u4", "u2", "u1", "f4", "3u8"],
                     "offsets": [0, 4, 6, 8, 16], "itemsize": 40})  # fmt: skip
    data = np.array([(70000, 300, 200, 17.0, [1, 2, 3])], kind)
    out = np.zeros(8, np.int64)
    load(SOURCE, "plain")(1, Out(out), data.view(np.uint8), mode="check")
    assert out[:5].tolist() == [70000, 300, 200, 17, 3]


@pytest.mark.parametrize(
    ("key", "expected"), [(None, [1, 103]), (1, [1, 103]), (2, [2, 101]), (4, [2, 101]), (3, [3, 100]), (5, [5, 202]),
                          (9, [0, 0])],
)  # fmt: skip
def test_tiling_keys(key, expected):
    words = np.arange(100, 108, dtype=np.uint64)
    out = np.zeros(8, np.int64)
    load(SOURCE, "registered")(1, Out(out), words, mode="check", tiling_key=key)
    assert out[:2].tolist() == expected
