// SPDX-License-Identifier: BSD-3-Clause
// The basic API of Ascend C, complete.
#pragma once
#include <cassert>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <tuple>

#include "ascendc/qualifiers.h"

#include "ascendc/std.h"

#include "ascendc/numeric.h"

#include "ascendc/arithmetic.h"
#include "ascendc/cast.h"
#include "ascendc/compare_select.h"
#include "ascendc/data_copy.h"
#include "ascendc/expressions.h"
#include "ascendc/fill.h"
#include "ascendc/internals.h"
#include "ascendc/intrinsics.h"
#include "ascendc/matrix.h"
#include "ascendc/plain.h"
#include "ascendc/rearrange.h"
#include "ascendc/reduce.h"
#include "ascendc/scalar.h"
#include "ascendc/sort.h"
#include "ascendc/sync.h"
#include "ascendc/system.h"
#include "ascendc/tensor.h"
#include "ascendc/tpipe.h"
#include "ascendc/tque.h"
#include "ascendc/vector.h"
