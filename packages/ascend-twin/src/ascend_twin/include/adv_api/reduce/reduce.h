// SPDX-License-Identifier: BSD-3-Clause
// Reductions by pattern.
#pragma once
#include "ascendc/reduce.h"
