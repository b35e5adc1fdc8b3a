// SPDX-License-Identifier: BSD-3-Clause
// Broadcast of an axis.
#pragma once
#include "ascendc/reduce.h"
