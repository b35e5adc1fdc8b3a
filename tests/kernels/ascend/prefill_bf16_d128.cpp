// SPDX-License-Identifier: BSD-3-Clause
// Prefill, bf16, head dim 128.
#include "kernel/prefill_bf16_d128.cpp"

#include "prefill_driver.h"

PREFILL_DRIVER(bf16_d128)
