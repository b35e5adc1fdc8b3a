// SPDX-License-Identifier: BSD-3-Clause
// Prefill, fp16, head dim 64.
#include "kernel/prefill_f16_d64.cpp"

#include "prefill_driver.h"

PREFILL_DRIVER(f16_d64)
