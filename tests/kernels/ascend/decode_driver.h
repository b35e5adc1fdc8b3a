// SPDX-License-Identifier: BSD-3-Clause
// What the tests of the decode kernel call: the launch, and what the kernel asks of the host.
#pragma once
#include "contract/decode.h"
#include "driver.h"

#define DECODE_DRIVER(KERNEL)                                                                              \
    TWIN_DRIVER(flash_attn_##KERNEL, AttentionArguments)                                                   \
    extern "C" __attribute__((visibility("default"))) void attention_limits(twin_test::Call* call) {       \
        AttentionArguments arguments;                                                                      \
        twin_test::arguments_of(*call, arguments);                                                         \
        call->core_workspace_bytes = decode_core_workspace_bytes(arguments.request, arguments.plan);       \
    }                                                                                                      \
    extern "C" __attribute__((visibility("default"))) int32_t can_implement(const twin_test::Call* call) { \
        flash_attn_npu::ascend::AttentionArguments arguments;                                              \
        twin_test::arguments_of(*call, arguments);                                                         \
        return flash_attn_npu::ascend::decode_can_implement(arguments.request, arguments.plan);            \
    }
