// SPDX-License-Identifier: BSD-3-Clause
// What the tests of the general attention kernel call: the launch, and what the kernel asks of the host.
#pragma once
#include "contract/general.h"
#include "driver.h"

#define GENERAL_DRIVER(KERNEL)                                                                          \
    TWIN_DRIVER(flash_attn_##KERNEL, AttentionArguments)                                                \
    extern "C" __attribute__((visibility("default"))) void attention_limits(twin_test::Call* call) {    \
        AttentionArguments arguments;                                                                   \
        const auto tile = attention_tile(twin_test::request_of(*call));                                 \
        call->tile_rows = tile.rows;                                                                    \
        call->tile_keys = tile.keys;                                                                    \
        twin_test::arguments_of(*call, arguments);                                                      \
        call->core_workspace_bytes = attention_core_workspace_bytes(arguments.request, arguments.plan); \
    }
