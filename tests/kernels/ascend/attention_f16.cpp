// SPDX-License-Identifier: BSD-3-Clause
// The general attention kernel, fp16.
#include "kernel/attention_f16.cpp"

#include "attention_driver.h"

ATTENTION_DRIVER(f16)
