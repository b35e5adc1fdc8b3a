// SPDX-License-Identifier: BSD-3-Clause
// What the tests of the prefill kernel call: the launch, and what the kernel asks of the host.
#pragma once
#include "contract/general.h"
#include "contract/prefill.h"
#include "driver.h"

#define PREFILL_DRIVER(KERNEL)                                                                          \
    TWIN_DRIVER(flash_attn_##KERNEL, AttentionArguments)                                                \
    extern "C" __attribute__((visibility("default"))) int32_t attention_limits(twin_test::Call* call) { \
        AttentionArguments arguments;                                                                   \
        const auto tile = attention_tile(twin_test::request_of(*call));                                 \
        call->tile_rows = tile.rows;                                                                    \
        call->tile_keys = tile.keys;                                                                    \
        twin_test::arguments_of(*call, arguments);                                                      \
        call->core_workspace_bytes = prefill_core_workspace_bytes(arguments.request, arguments.plan);   \
        return prefill_can_implement(arguments.request, arguments.plan);                                \
    }
