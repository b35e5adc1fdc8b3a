// The general attention kernel, fp16.
#include "kernel/attention_f16.cpp"

#include "driver.h"
#include "kernel/attention_limits.h"

TWIN_DRIVER(flash_attn_attention_f16, AttentionArguments)

extern "C" __attribute__((visibility("default"))) uint64_t attention_core_workspace_bytes(const twin_test::Call* call) {
    flash_attn_npu::ascend::kernel::AttentionArguments arguments;
    twin_test::arguments_of(*call, arguments);
    return flash_attn_npu::ascend::kernel::attention_core_workspace_bytes(arguments.problem, arguments.plan);
}
