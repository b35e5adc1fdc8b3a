// SPDX-License-Identifier: BSD-3-Clause
// The general attention kernel, bf16.
#include "kernel/attention_bf16.cpp"

#include "attention_driver.h"

ATTENTION_DRIVER(bf16)
