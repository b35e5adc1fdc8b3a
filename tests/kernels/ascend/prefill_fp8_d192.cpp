// SPDX-License-Identifier: BSD-3-Clause
// Prefill, fp8, head dims 192 and 128.
#include "kernel/prefill_fp8_d192.cpp"

#include "prefill_driver.h"

PREFILL_DRIVER(fp8_d192)
