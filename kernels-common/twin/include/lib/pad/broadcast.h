// Broadcast of an axis.
#pragma once
#include "ascendc/reduce.h"
