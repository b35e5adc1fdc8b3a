// Reductions by pattern.
#pragma once
#include "ascendc/reduce.h"
