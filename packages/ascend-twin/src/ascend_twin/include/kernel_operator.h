// SPDX-License-Identifier: BSD-3-Clause
// Ascend C for the twin: what `#include "kernel_operator.h"` gives a kernel on a host CPU.
#pragma once
#include "ascendc/basic.h"
#ifdef TWIN_HIGH_LEVEL  // a checkout of asc-devkit is named: its library on top (ascend_twin/high_level.py)
#include "adv_api/kernel_api.h"
#else
#include "kernel_tiling/kernel_tiling.h"
#endif
