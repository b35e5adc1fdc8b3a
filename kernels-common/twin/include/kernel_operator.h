// Ascend C for the twin: what `#include "kernel_operator.h"` gives a kernel on a host CPU.
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

#include "ascendc/data_copy.h"
#include "ascendc/intrinsics.h"
#include "ascendc/matrix.h"
#include "ascendc/reduce.h"
#include "ascendc/sync.h"
#include "ascendc/system.h"
#include "ascendc/tensor.h"
#include "ascendc/tpipe.h"
#include "ascendc/vector.h"
