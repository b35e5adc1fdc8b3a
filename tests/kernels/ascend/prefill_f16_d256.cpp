// SPDX-License-Identifier: BSD-3-Clause
// Prefill, fp16, head dim 256.
#include "kernel/prefill_f16_d256.cpp"

#include "prefill_driver.h"

PREFILL_DRIVER(f16_d256)
