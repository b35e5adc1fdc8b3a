// SPDX-License-Identifier: BSD-3-Clause
#include "driver.h"
#include "kernel/combine.cpp"

TWIN_DRIVER(flash_attn_combine, AttentionArguments)
