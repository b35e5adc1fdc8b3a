// SPDX-License-Identifier: BSD-3-Clause
// What the tests of the vector-only passes call: the launch.
#pragma once
#include "driver.h"

#define PASSES_DRIVER(KERNEL) TWIN_DRIVER(flash_attn_##KERNEL, PASSES_ARGUMENTS_##KERNEL)
#define PASSES_ARGUMENTS_combine AttentionArguments
#define PASSES_ARGUMENTS_convert_kv ConvertKvArguments
#define PASSES_ARGUMENTS_prepare PrepareArguments
