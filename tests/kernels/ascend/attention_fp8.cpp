// SPDX-License-Identifier: BSD-3-Clause
// The general attention kernel, fp8 caches.
#include "kernel/attention_fp8.cpp"

#include "attention_driver.h"

ATTENTION_DRIVER(fp8)
