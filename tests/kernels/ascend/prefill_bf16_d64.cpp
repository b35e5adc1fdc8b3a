// SPDX-License-Identifier: BSD-3-Clause
// Prefill, bf16, head dim 64.
#include "kernel/prefill_bf16_d64.cpp"

#include "prefill_driver.h"

PREFILL_DRIVER(bf16_d64)
