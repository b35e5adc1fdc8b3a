// SPDX-License-Identifier: BSD-3-Clause
// Prefill, bf16, head dims 192 and 128.
#include "kernel/prefill_bf16_d192.cpp"

#include "prefill_driver.h"

PREFILL_DRIVER(bf16_d192)
