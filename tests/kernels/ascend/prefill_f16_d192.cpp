// SPDX-License-Identifier: BSD-3-Clause
// Prefill, fp16, head dims 192 and 128.
#include "kernel/prefill_f16_d192.cpp"

#include "prefill_driver.h"

PREFILL_DRIVER(f16_d192)
